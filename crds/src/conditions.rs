//! The words of a ServiceRoute's conditions. They are an interface: scripts and alerts compare them.

/// Condition: every rule compiled.
pub const ACCEPTED: &str = "Accepted";
/// Condition: every reference was found and is permitted.
pub const RESOLVED_REFS: &str = "ResolvedRefs";
/// Condition: every ready replica has applied a snapshot that holds this object as it is written.
pub const PROGRAMMED: &str = "Programmed";

/// Condition: some requests that the object asks for go to another rule, or it takes some that
/// another object asks for. Absent where that is not so.
pub const CONFLICTED: &str = "Conflicted";

/// Condition: every entry of `spec.tests` holds. Absent where there is none.
pub const TESTS_PASSED: &str = "TestsPassed";

/// Why a condition has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// `Accepted` is true.
    Accepted,
    /// A rule cannot be compiled; the message names rule, field and problem.
    InvalidRule,
    /// A value is well formed, but this version cannot do it.
    UnsupportedValue,
    /// The object names a listener that the operator has not set up.
    ListenerNotFound,
    /// The operator does not give this host, or this path under it, to the namespace of the object.
    HostNotAllowed,
    /// `ResolvedRefs` is true.
    ResolvedRefs,
    /// A Service does not exist.
    BackendNotFound,
    /// A Service does not have that port, or has several and none is named.
    PortNotFound,
    /// A reference to another namespace that nobody permitted.
    RefNotPermitted,
    /// A Secret does not exist, is of another type, or may not be read.
    SecretNotFound,
    /// A certificate cannot be used, or not for all of the hosts.
    InvalidCertificate,
    /// The operator does not allow this host outside the cluster.
    ExternalHostNotAllowed,
    /// A ConfigMap with certificates of authorities does not exist, or is not labelled as one.
    ConfigMapNotFound,
    /// `Programmed` is true.
    Programmed,
    /// A data plane has not applied this version yet, ours or that of another replica.
    Pending,
    /// Some rules answer 500, the others serve.
    PartiallyInvalid,
    /// A listener could not be bound.
    AddressInUse,
    /// No condition, but a warning: every backend of a rule has weight 0.
    NoWeight,
    /// `Conflicted`: another rule takes every request that a rule asks for.
    Unreachable,
    /// `Conflicted`: a rule of another object takes some of them, and only age or name decides.
    PartlyTaken,
    /// `Conflicted`: the certificate of an older object is shown for a name that it asks for too.
    CertificateNotShown,
    /// `Conflicted`: it takes requests that another object asks for.
    TakesFromAnother,
    /// `TestsPassed` is true.
    TestsPassed,
    /// A request of `spec.tests` goes elsewhere than expected.
    TestFailed,
}

impl Reason {
    /// The word as it stands in a condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::InvalidRule => "InvalidRule",
            Self::UnsupportedValue => "UnsupportedValue",
            Self::ListenerNotFound => "ListenerNotFound",
            Self::HostNotAllowed => "HostNotAllowed",
            Self::ResolvedRefs => "ResolvedRefs",
            Self::BackendNotFound => "BackendNotFound",
            Self::PortNotFound => "PortNotFound",
            Self::RefNotPermitted => "RefNotPermitted",
            Self::SecretNotFound => "SecretNotFound",
            Self::InvalidCertificate => "InvalidCertificate",
            Self::ExternalHostNotAllowed => "ExternalHostNotAllowed",
            Self::ConfigMapNotFound => "ConfigMapNotFound",
            Self::Programmed => "Programmed",
            Self::Pending => "Pending",
            Self::PartiallyInvalid => "PartiallyInvalid",
            Self::AddressInUse => "AddressInUse",
            Self::NoWeight => "NoWeight",
            Self::Unreachable => "Unreachable",
            Self::PartlyTaken => "PartlyTaken",
            Self::CertificateNotShown => "CertificateNotShown",
            Self::TakesFromAnother => "TakesFromAnother",
            Self::TestsPassed => "TestsPassed",
            Self::TestFailed => "TestFailed",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
