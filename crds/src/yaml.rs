//! The custom resource definitions as YAML: one writer for the command line and for the files.

/// Each custom resource definition by its name, as a YAML document; the same bytes at every call.
///
/// # Errors
///
/// Never for the definitions of this version; a test writes them.
pub fn documents() -> Result<Vec<(String, String)>, serde_saphyr::ser::Error> {
    let mut documents = Vec::new();
    for crd in crate::all() {
        let name = crd.metadata.name.clone().unwrap_or_default();
        documents.push((name, format!("---\n{}", serde_saphyr::to_string(&crd)?)));
    }
    Ok(documents)
}

/// All custom resource definitions as YAML documents.
///
/// # Errors
///
/// As of [`documents`].
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    Ok(documents()?.into_iter().map(|(_, document)| document).collect())
}
