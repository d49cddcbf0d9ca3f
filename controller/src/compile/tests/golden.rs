//! Golden pairs: `tests/testdata/compile/<sentence>.in.yaml` and what it compiles to. The
//! variable `FAIRWAY_BLESS=1` writes the results anew; every line of the difference is to be read.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::super::{CompileOptions, Memo, compile};
use crate::files::load;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/testdata/compile")
}

fn compiled(input: &Path) -> String {
    let loaded = load(&[input.to_owned()], &|_| None).unwrap();
    let compilation = compile(&loaded.inputs, &CompileOptions::default(), &mut Memo::default());
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
