//! Settings as people get them wrong, and what they are told.

mod listeners;

use std::collections::BTreeMap;
use std::ffi::OsString;

use fairway_snapshot::ObjectId;

use super::{SettingArgs, Settings, SourceName};

/// Settings from flags, variables and the text of a file; mistakes without the file's path.
fn read(
    flags: &[(&'static str, &str)],
    variables: &[(&str, &str)],
    file: &str,
) -> Result<Settings, Vec<String>> {
    let written = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(written.path(), file).unwrap();
    let mut given: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for (name, value) in flags {
        given.entry(name).or_default().push((*value).to_owned());
    }
    let args = SettingArgs { given, config: Some(written.path().to_owned()) };
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Settings::from_sources(&args, environment).map_err(|mistakes| {
        let path = written.path().display().to_string();
        mistakes.0.iter().map(|mistake| mistake.replace(&path, "FILE")).collect()
    })
}

/// The one mistake that there is.
fn mistake(flags: &[(&'static str, &str)], variables: &[(&str, &str)], file: &str) -> String {
    match read(flags, variables, file) {
        Err(mistakes) if mistakes.len() == 1 => mistakes[0].clone(),
        other => panic!("{flags:?} {variables:?} {file:?}: not one mistake: {other:?}"),
    }
}

#[test]
fn a_backend_comes_from_the_strongest_source_that_names_its_service() {
    let settings = read(
        &[("backend", "market/finance=127.0.0.1:1")],
        &[
            ("FAIRWAY_BACKEND_MARKET__FINANCE", "127.0.0.1:2"),
            ("FAIRWAY_BACKEND_MARKET__AIR_PORT", "127.0.0.1:3"),
            ("FAIRWAY_BACKEND", "market/esg=127.0.0.1:4"),
        ],
        "backends: {market/esg: '127.0.0.1:5', market/stock: '127.0.0.1:6'}",
    )
    .unwrap();
    let shown: Vec<_> = settings.shown.iter().filter(|shown| shown.setting == "backend").collect();
    let expected = [
        ("air-port", "127.0.0.1:3", SourceName::Environment),
        ("esg", "127.0.0.1:4", SourceName::Environment),
        ("finance", "127.0.0.1:1", SourceName::Flag),
        ("stock", "127.0.0.1:6", SourceName::File),
    ];
    assert_eq!(shown.len(), expected.len(), "{shown:?}");
    for (shown, (service, address, source)) in shown.iter().zip(expected) {
        assert_eq!(shown.value, format!("market/{service}={address}"));
        assert_eq!(shown.source, source, "{service}");
        let upstream = &settings.options.backend_overrides[&ObjectId::new("market", service)];
        assert_eq!(upstream.id().to_string(), address, "{service}");
    }
}

#[test]
fn wrong_backends_are_told() {
    let twice = mistake(
        &[("backend", "market/finance=127.0.0.1:1"), ("backend", "market/finance=127.0.0.1:2")],
        &[],
        "",
    );
    assert!(twice.starts_with("--backend: \"market/finance=127.0.0.1:2\": Service market/finance has an address already"), "{twice}");
    let cases = [
        ("FAIRWAY_BACKEND_MARKET__AIR_PORT", "nonsense", "write market/finance=127.0.0.1:9001"),
        ("FAIRWAY_BACKEND_MARKET__A__B", "127.0.0.1:1", "not clear where the namespace ends"),
    ];
    for (variable, value, advice) in cases {
        let told = mistake(&[], &[(variable, value)], "");
        assert!(told.starts_with(variable) && told.contains(advice), "{told}");
    }
}

#[test]
fn the_file_refuses_what_it_does_not_know() {
    let cases = [
        (
            "defaults: {timeouts: {idel: 2m}}",
            "FILE: defaults.timeouts.idel is not known: did you mean idle?",
        ),
        (
            "overrides: {timeoutz: {idle: 2m}}",
            "FILE: overrides.timeoutz is not known: did you mean timeouts?",
        ),
        (
            "listeners: {http: {bind: '0.0.0.0:80', policy: {timeouts: {idel: 2m}}}}",
            "FILE: listeners.http.policy.timeouts.idel is not known: did you mean idle?",
        ),
        (
            "listeners: {http: {bnid: '0.0.0.0:80', bind: '0.0.0.0:80'}}",
            "FILE: listeners.http.bnid is not known: did you mean bind?",
        ),
        (
            "defaults: {mirror: [{service: shadow}]}",
            "FILE: defaults.mirror: mirrors are found from the namespace of a ServiceRoute: write them in its spec.policy",
        ),
        (
            "defaults: 5",
            "FILE: defaults is 5: write fields below it, for example timeouts: {response: 10s}",
        ),
        (
            "listeners: {http: {bind: 'localhost:80'}}",
            "FILE: listeners.http.bind: \"localhost:80\" is not an address with a port: write 0.0.0.0:8080 or [::]:8080",
        ),
        (
            "listeners: {web: {bind: '0.0.0.0:8443', protocol: TLS}}",
            "FILE: listeners.web.protocol is \"TLS\": write HTTP or HTTPS",
        ),
        (
            "{secrets: false, listeners: {web: {bind: '0.0.0.0:8443', protocol: HTTPS}}}",
            "listener web speaks HTTPS, and there is no certificate: write --certificates and the folder of one, with tls.crt and tls.key, or spec.tls in a ServiceRoute",
        ),
        (
            "{secrets: false, listeners: {https: '0.0.0.0:8443'}}",
            "listener https speaks HTTPS, and there is no certificate: write --certificates and the folder of one, with tls.crt and tls.key, or spec.tls in a ServiceRoute",
        ),
        (
            "certificates: [/nowhere]",
            "FILE: certificates: \"/nowhere\" is no folder: make it first, or name another one",
        ),
        (
            "listeners: {http: {policy: {}}}",
            "FILE: listeners.http.bind is missing: write bind: 0.0.0.0:8080",
        ),
        (
            "defaults: {timeouts: {idle: 5}}",
            "FILE: defaults.timeouts.idle is 5: write text; a duration has a unit, for example 15s",
        ),
        (
            "defaults: {timeouts: {idle: 5y}}",
            "FILE: defaults.timeouts.idle: \"5y\" is not a duration: write a number and a unit of h, m, s or ms, for example 15s, 500ms or 1m30s; 0s for no limit",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(mistake(&[], &[], file), expected);
    }
}

#[test]
fn the_file_says_what_is_wrong_with_a_policy() {
    let cases = [
        (
            "hostPolicy: []",
            "FILE: hostPolicy has no entry, so that nobody might use anything: write entries, or leave it out",
        ),
        (
            "hostPolicy: {market: api.example.com}",
            "FILE: hostPolicy is {\"market\":\"api.example.com\"}: write a list",
        ),
        (
            "hostPolicy: [{namespaces: [a], hosts: [x]}]",
            "FILE: hostPolicy[0].hosts is not known: known are allow, namespaces",
        ),
        (
            "hostPolicy: [{allow: []}]",
            "FILE: hostPolicy[0]: write the namespaces that it is for, for example namespaces: [finance], or [\"*\"] for all others",
        ),
        (
            "hostPolicy: [{namespaces: [a]}]",
            "FILE: hostPolicy[0]: write what they may use, for example allow: [{hosts: [api.example.com], paths: [/e/fin/*]}], or allow: [] for nothing",
        ),
        (
            "hostPolicy: [{namespaces: [a*b*], allow: []}]",
            "FILE: hostPolicy[0].namespaces[0]: \"a*b*\" names no namespace: write a name such as finance, or one with a *, such as team-*",
        ),
        (
            "hostPolicy: [{namespaces: [a], allow: [{hosts: []}]}]",
            "FILE: hostPolicy[0].allow[0].hosts is empty: name some, or leave it out for every host",
        ),
        (
            "hostPolicy: [{namespaces: [a], allow: [{hosts: ['a b']}]}]",
            "FILE: hostPolicy[0].allow[0].hosts[0]: \"a b\": a host has letters, digits, - and dots, without scheme, port, path or blanks: write api.example.com",
        ),
        (
            "hostPolicy: [{namespaces: [a], allow: [{paths: ['/{x}/*']}]}]",
            "FILE: hostPolicy[0].allow[0].paths: \"/{x}/*\": a capture says nothing here: write a path such as /e/fin, or one that ends with /*",
        ),
        (
            "defaults: {versions: {known: []}}",
            "FILE: defaults.versions.known: versions need a list: write known: [{name: v1}, {name: v2}]",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(mistake(&[], &[], file), expected);
    }
}

#[test]
fn a_key_without_a_value_counts_as_not_given() {
    let file = "class:\nlogLevel:\nlisteners:\nmanifests: [null]\ndefaults: {timeouts: {idle: }}\n";
    let settings = read(&[], &[], file).unwrap();
    let given = |name: &str| settings.shown.iter().find(|shown| shown.setting == name).unwrap();
    for name in ["class", "log-level", "listen"] {
        assert_eq!(given(name).source, SourceName::Default, "{name}");
    }
    assert!(settings.manifests.is_empty());
    assert_eq!(settings.options.class, "fairway");
}

#[test]
fn values_that_would_be_silently_wrong_are_mistakes() {
    let cases = [
        ("log-level", "wran", "--log-level: \"wran\" is not a level: did you mean warn?"),
        (
            "log-level",
            "info,fairway_controller=loud",
            "--log-level: \"loud\" is not a level: write off, error, warn, info, debug or trace, or info,fairway_controller=debug",
        ),
        (
            "log-level",
            "fairway controller=info",
            "--log-level: \"fairway controller=info\": \"fairway controller\" is not a target: write info,fairway_controller=debug",
        ),
        ("trusted-hops", "33", "--trusted-hops: \"33\": write a number from 0 to 32"),
        ("max-connections", "0", "--max-connections: \"0\": write a number from 1"),
        (
            "shed-memory-percent",
            "101",
            "--shed-memory-percent: \"101\": write a number from 0 to 100",
        ),
        ("http2-streams", "0", "--http2-streams: \"0\": write a number from 1 to 10000"),
        (
            "trusted-cidrs",
            "10/8",
            "--trusted-cidrs: \"10/8\" is not a range of addresses: write 127.0.0.0/8 or one address",
        ),
        (
            "upgrades",
            "h2c",
            "--upgrades: \"h2c\" is no protocol to switch to: write websocket, another such name, or none",
        ),
        (
            "client-head",
            "0s",
            "--client-head: \"0s\" would refuse every client: write a time, for example 15s",
        ),
        (
            "client-idle",
            "0ms",
            "--client-idle: \"0ms\" would refuse every client: write a time, for example 15s",
        ),
        (
            "drain-delay",
            "5",
            "--drain-delay: \"5\" is not a duration: write a number and a unit of h, m, s or ms, for example 15s or 1m30s",
        ),
    ];
    for (flag, value, expected) in cases {
        assert_eq!(mistake(&[(flag, value)], &[], ""), expected);
    }
    let good = [
        ("drain-delay", "0s"),
        ("drain-deadline", "0s"),
        ("log-level", "off"),
        ("log-level", "INFO"),
        ("log-level", "info,fairway_controller::watch=debug"),
    ];
    for (flag, value) in good {
        assert!(read(&[(flag, value)], &[], "").is_ok(), "{flag} {value}");
    }
    assert_eq!(read(&[], &[], "logLevel: off").unwrap().log_level, "off");
}

#[test]
fn every_part_has_a_port_of_its_own() {
    let token = [("FAIRWAY_ADMIN_TOKEN", "0123456789abcdef")];
    let cases = [
        (
            "http=0.0.0.0:9901",
            "0.0.0.0:9901",
            "127.0.0.1:9902",
            "listener http (0.0.0.0:9901) and status (0.0.0.0:9901)",
        ),
        (
            "http=127.0.0.1:80",
            "0.0.0.0:80",
            "127.0.0.1:9902",
            "listener http (127.0.0.1:80) and status (0.0.0.0:80)",
        ),
        (
            "http=[::]:80",
            "127.0.0.1:9901",
            "127.0.0.1:80",
            "listener http ([::]:80) and admin (127.0.0.1:80)",
        ),
        (
            "http=0.0.0.0:80",
            "127.0.0.1:81",
            "127.0.0.1:81",
            "status (127.0.0.1:81) and admin (127.0.0.1:81)",
        ),
        ("http=0.0.0.0:80", "0.0.0.0:0", "0.0.0.0:0", ""),
        ("http=127.0.0.1:80", "127.0.0.2:80", "[::1]:80", ""),
    ];
    for (listen, status, admin, expected) in cases {
        let flags = [("listen", listen), ("status", status), ("admin", admin)];
        if expected.is_empty() {
            assert!(read(&flags, &token, "").is_ok(), "{flags:?}");
        } else {
            let told = mistake(&flags, &token, "");
            assert_eq!(
                told,
                format!("{expected} want the same port: write another port for one of them")
            );
        }
    }
    let two = [("listen", "a=0.0.0.0:80"), ("listen", "b=127.0.0.1:80")];
    assert!(mistake(&two, &[], "").starts_with("listener a (0.0.0.0:80) and listener b (127"));
}

#[test]
fn a_variable_that_is_not_text_is_told_when_it_is_ours() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || OsString::from_vec(b"intern\xe9".to_vec());
    let args = SettingArgs::default();
    let ours = Settings::from_sources(&args, [("FAIRWAY_CLASS".into(), bytes())]).unwrap_err();
    assert_eq!(ours.0, ["FAIRWAY_CLASS: \"intern\u{fffd}\" is not UTF-8 text: write it in UTF-8"]);
    let secret = Settings::from_sources(&args, [("FAIRWAY_ADMIN_TOKEN".into(), bytes())]);
    let secret = secret.unwrap_err().0;
    assert_eq!(secret, ["FAIRWAY_ADMIN_TOKEN: its value is not UTF-8 text: write it in UTF-8"]);
    assert!(Settings::from_sources(&args, [("LANGUAGE".into(), bytes())]).is_ok());
    assert!(Settings::from_sources(&args, [(bytes(), "x".into())]).is_ok());
}

#[test]
fn a_name_that_is_not_known_is_told_with_what_is_near() {
    let help = "fairway run --help names those that are known";
    let backend = "write FAIRWAY_BACKEND_<NAMESPACE>__<SERVICE>=host:port, with two underscores between the names";
    let cases = [
        ("FAIRWAY_CLAS", "did you mean FAIRWAY_CLASS?"),
        ("FAIRWAY_LOGLEVEL", "did you mean FAIRWAY_LOG_LEVEL?"),
        ("FAIRWAY_TOKEN", help),
        ("FAIRWAY_HTTP", help),
        ("FAIRWAY_CLASH_OF_CLANS", help),
        ("FAIRWAY_BACKEND_MARKET_FINANCE", backend),
    ];
    for (variable, advice) in cases {
        let told = mistake(&[], &[(variable, "x")], "");
        assert_eq!(told, format!("unknown variable {variable}: {advice}"));
    }
    assert_eq!(mistake(&[], &[], "clas: x"), "FILE: unknown setting clas: did you mean class?");
    let far = mistake(&[], &[], "normalization: x");
    assert!(far.starts_with("FILE: unknown setting normalization: known are manifests,"), "{far}");
    let of_a_service = ["FAIRWAY_PORT", "FAIRWAY_SERVICE_HOST", "FAIRWAY_BACKEND_PORT_80_TCP"];
    for variable in of_a_service {
        assert!(read(&[], &[(variable, "tcp://10.0.0.1:80")], "").is_ok(), "{variable}");
    }
}

#[test]
fn a_pod_has_a_namespace_and_a_name() {
    let cases = [
        (
            ("FAIRWAY_POD_NAMESPACE", "fairway-system"),
            "the pod namespace fairway-system is given and no name: set FAIRWAY_POD_NAME, or write --pod-name fairway-0",
        ),
        (
            ("FAIRWAY_POD_NAME", "Fairway_0"),
            "FAIRWAY_POD_NAME: \"Fairway_0\": a name has lower case letters, digits, - and ., beginning and ending with a letter or digit: write finance",
        ),
        (
            ("FAIRWAY_POD_UID", "a b"),
            "FAIRWAY_POD_UID: \"a b\" is not the uid of a pod: write its metadata.uid, letters, digits and - only",
        ),
    ];
    for (variable, expected) in cases {
        assert_eq!(mistake(&[], &[variable], ""), expected);
    }
}
