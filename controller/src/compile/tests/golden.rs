//! Golden pairs: `tests/testdata/compile/<sentence>.in.yaml` and what it compiles to. The
//! variable `FAIRWAY_BLESS=1` writes the results anew; every line of the difference is to be read.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use fairway_snapshot::{ListenerName, Protocol};
use serde_json::json;

use super::super::{CompileOptions, ListenerSettings, Memo, compile};
use crate::files::load;

/// How a manifest begins that is compiled for a listener `https` too.
const WITH_HTTPS: &str = "# with https";

fn with_https() -> CompileOptions {
    let mut options = CompileOptions::default();
    let http = options.listeners[&ListenerName::from("http")].clone();
    let bind = SocketAddr::from(([0, 0, 0, 0], 8443));
    let https = ListenerSettings { bind, protocol: Protocol::Https, ..http };
    options.listeners.insert(ListenerName::from("https"), https);
    options
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/testdata/compile")
}

fn compiled(input: &Path) -> String {
    let loaded = load(&[input.to_owned()], &|_| None).unwrap();
    let text = std::fs::read_to_string(input).unwrap();
    let options =
        if text.starts_with(WITH_HTTPS) { with_https() } else { CompileOptions::default() };
    let compilation = compile(&loaded.inputs, &options, &mut Memo::default());
    let statuses: std::collections::BTreeMap<String, _> =
        compilation.statuses.iter().map(|(id, status)| (id.to_string(), status)).collect();
    let whole = json!({ "statuses": statuses, "snapshot": compilation.snapshot });
    serde_json::to_string_pretty(&whole).unwrap() + "\n"
}

#[test]
fn manifests_compile_to_what_was_read_and_kept() {
    let bless = std::env::var_os("FAIRWAY_BLESS").is_some();
    let mut inputs: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    inputs.retain(|path| path.to_string_lossy().ends_with(".in.yaml"));
    assert!(inputs.len() >= 10, "{} pairs", inputs.len());
    for input in inputs {
        let output = PathBuf::from(input.to_string_lossy().replace(".in.yaml", ".out.json"));
        let made = compiled(&input);
        if bless {
            std::fs::write(&output, made).unwrap();
            continue;
        }
        let kept = std::fs::read_to_string(&output).unwrap_or_default();
        assert!(made == kept, "{} compiles to something else:\n{made}", input.display());
    }
}
