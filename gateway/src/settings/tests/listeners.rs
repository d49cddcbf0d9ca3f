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

#[test]
fn who_may_announce_connections_is_said_with_it() {
    let listener = "listeners: {web: {bind: '0.0.0.0:1', proxyProtocol: true}, http: '0.0.0.0:2'}";
    let known = read(&[("trusted-cidrs", "10.0.0.0/8")], &[], listener).unwrap().options.listeners;
    let wants: Vec<bool> = known.values().map(|settings| settings.proxy_protocol).collect();
    assert_eq!(wants, [false, true]);
    let unknown = "listener web has proxyProtocol, and nobody is trusted to speak it: write --trusted-cidrs and the networks of the load balancers in front of it, for example 10.0.0.0/8";
    assert_eq!(mistake(&[], &[], listener), unknown);
    // Hops name nobody.
    assert_eq!(mistake(&[("trusted-hops", "1")], &[], listener), unknown);
    assert_eq!(
        mistake(&[], &[], "listeners: {web: {bind: '0.0.0.0:1', proxyProtocol: 2}}"),
        "FILE: listeners.web.proxyProtocol is 2: write true or false"
    );
    let off = "listeners: {web: {bind: '0.0.0.0:1', proxyProtocol: false}}";
    assert!(read(&[], &[], off).is_ok());
}

#[test]
fn limits_have_bounds() {
    for (name, wrong, advice) in [
        ("client-send-rate", "1000001", "write a number from 0 to 1000000"),
        ("client-read-rate", "-1", "write a number from 0 to 1000000"),
        ("client-head-fields", "0", "write a number from 1 to 256"),
        ("client-head-fields", "257", "write a number from 1 to 256"),
        ("client-target-bytes", "1023", "write a number from 1024 to 65534"),
        ("client-target-bytes", "65535", "write a number from 1024 to 65534"),
        ("max-requests-per-connection", "x", "write a whole number"),
    ] {
        let told = mistake(&[(name, wrong)], &[], "");
        assert!(told.starts_with(&format!("--{name}: ")) && told.ends_with(advice), "{told}");
    }
    let given = [
        ("client-send-rate", "0"),
        ("client-read-rate", "1000000"),
        ("client-head-fields", "256"),
        ("client-target-bytes", "1024"),
        ("max-requests-per-connection", "7"),
    ];
    let config = read(&given, &[], "").unwrap().config;
    assert_eq!((config.client_send_rate, config.client_read_rate), (0, 1_000_000));
    assert_eq!((config.client_head_fields, config.client_target_bytes), (256, 1024));
    assert_eq!(config.max_requests_per_connection, 7);
}
