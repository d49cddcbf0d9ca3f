//! The custom resource definitions as YAML: one writer for the command line and for the files.

/// All custom resource definitions as YAML documents, the same bytes at every call.
///
/// # Errors
///
/// Never for the definitions of this version; a test writes them.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    let mut out = String::new();
    for crd in crate::all() {
        out.push_str("---\n");
        out.push_str(&serde_saphyr::to_string(&crd)?);
    }
    Ok(out)
}
