//! Settings of listeners, of limits, and of what is never told.

use fairway_snapshot::Redaction;

use super::{mistake, read};

#[test]
fn with_a_certificate_there_is_a_listener_for_it() {
    let listeners = |flags: &[(&'static str, &str)], file: &str| -> Vec<String> {
        let settings = read(flags, &[], file).unwrap();
        let known = settings.options.listeners.iter();
        known.map(|(name, given)| format!("{name} {} {:?}", given.bind, given.protocol)).collect()
    };
    let http = "http 0.0.0.0:8080 Http";
    assert_eq!(listeners(&[], ""), [http]);
    let given = [("certificates", "/tmp")];
    assert_eq!(listeners(&given, ""), [http, "https 0.0.0.0:8443 Https"]);
    assert_eq!(listeners(&given, "listeners: {http: '0.0.0.0:8080'}"), [http]);
    assert_eq!(
        listeners(
            &given,
            "listeners: {https: {bind: '0.0.0.0:1', protocol: HTTP}, web: {bind: '0.0.0.0:2', protocol: HTTPS}}"
        ),
        ["https 0.0.0.0:1 Http", "web 0.0.0.0:2 Https"]
    );
}

#[test]
fn names_of_credentials_are_added_and_the_built_in_ones_can_be_done_without() {
    let hidden = |flags: &[(&'static str, &str)]| read(flags, &[], "").unwrap().config.redaction;
    assert_eq!(hidden(&[]), Redaction::default());
    let more = hidden(&[("redact", "X-Company-Key"), ("redact", "pin")]);
    assert!(more.hides("x_company_key") && more.hides("PIN") && more.hides("token"));
    let only = hidden(&[("redact", "none"), ("redact", "pin")]);
    assert!(only.hides("pin") && !only.hides("token") && only.hides("authorization"));
    for wrong in ["user[password]", "a b", "", "a=b", "%61"] {
        assert_eq!(
            mistake(&[("redact", wrong)], &[], ""),
            format!(
                "--redact: {wrong:?} is not the name of a parameter or a header field: write api_key, one part of user[password], or none"
            )
        );
    }
}
