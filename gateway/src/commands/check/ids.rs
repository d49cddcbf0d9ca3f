//! The ids of findings, and what each means.

/// An id and what it means, for machines that list rules; the page on `check` has the same.
pub(super) const IDS: [(&str, &str); 19] = [
    ("InvalidManifest", "A file or document cannot be read, or the API server would refuse it"),
    ("InvalidRule", "A rule, or something of the object, cannot be compiled"),
    ("UnsupportedValue", "A value is well formed, but this version cannot do it"),
    ("ListenerNotFound", "The settings have no listener of that name"),
    ("BackendNotFound", "A Service does not exist, or its name is nearly another's"),
    ("PortNotFound", "A Service does not have that port, or has several and none is named"),
    ("RefNotPermitted", "A Service of another namespace that no ReferenceGrant permits"),
    ("ExternalHostNotAllowed", "A host outside the cluster that the operator does not allow"),
    ("ConfigMapNotFound", "Certificates of authorities are not there, or not labelled"),
    ("SecretNotFound", "A Secret with a certificate is not there"),
    ("InvalidCertificate", "A certificate or its key cannot be used"),
    ("Unreachable", "Another rule takes every request that a rule asks for"),
    ("PartlyTaken", "A rule of another object takes some of them, by age or name alone"),
    (
        "CertificateNotShown",
        "For a host the certificate of another object is shown, which is older",
    ),
    ("TakesFromAnother", "A rule takes what a rule of another object asks for"),
    ("NoWeight", "Every backend of a rule has weight 0"),
    ("CouldBePath", "A path says the same as an expression, at less cost"),
    ("NeverMatches", "An expression that no normalised path matches"),
    ("UnusedCapture", "A rewrite uses some of what is captured, and not all"),
];

/// What an id means.
pub(super) fn meaning(id: &str) -> Option<&'static str> {
    IDS.iter().find(|(known, _)| *known == id).map(|(_, meaning)| *meaning)
}
