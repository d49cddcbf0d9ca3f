//! Settings as people get them wrong, and what they are told.

use std::collections::BTreeMap;

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
    let environment =
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
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
