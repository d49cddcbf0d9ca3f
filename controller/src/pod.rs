//! The pod that this process runs in: what replicas know each other by.

/// The pod that this process runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its namespace: where the lease of a class and the reports of its replicas are.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid, by which what belongs to it goes with it.
    pub uid: Option<String>,
}
