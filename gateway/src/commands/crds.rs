//! `fairway crds`: the custom resource definitions, as `kubectl apply` reads them.

use anyhow::Context;

pub(crate) fn main() -> anyhow::Result<u8> {
    use std::io::Write;
    let text = fairway_crds::yaml().context("cannot write the definitions")?;
    // Whoever reads may have gone.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(0)
}
