//! What goes wrong with TLS towards backends. The log names it; clients are told no more than that it
//! did.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// Why there is no TLS with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsProblem {
    /// Its certificate has ended.
    CertificateExpired,
    /// Its certificate is not valid yet.
    CertificateNotYetValid,
    /// Nobody whom we trust vouches for it.
    UnknownIssuer,
    /// Its certificate is for other names.
    NameMismatch,
    /// Its certificate is wrong in another way.
    CertificateInvalid,
    /// It wants a certificate of ours, and has none or not the right one.
    ClientCertificateRefused,
    /// It speaks no version or cipher that we speak.
    NothingInCommon,
    /// It does not speak the protocol that it was asked for (RFC 7301).
    ProtocolRefused,
    /// What it sent is no TLS.
    NoTls,
    /// It closed the connection in the handshake, or did not follow the rules.
    Broken,
    /// What we should verify it with, or show it, cannot be used.
    Unusable,
}

impl TlsProblem {
    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateNotYetValid => "certificate_not_yet_valid",
            Self::UnknownIssuer => "unknown_issuer",
            Self::NameMismatch => "name_mismatch",
            Self::CertificateInvalid => "certificate_invalid",
            Self::ClientCertificateRefused => "client_certificate_refused",
            Self::NothingInCommon => "nothing_in_common",
            Self::ProtocolRefused => "protocol_refused",
            Self::NoTls => "no_tls",
            Self::Broken => "handshake_broken",
            Self::Unusable => "settings_unusable",
        }
    }

    /// What an error of a connection says of TLS; none when it says nothing of it.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Error>().map(Self::from)
    }

    /// The same of an error of which only the kind and the text were kept, as the codec of HTTP/2 does.
    pub(crate) fn of_text(error: &io::Error) -> Option<Self> {
        let text = error.to_string();
        let refused = REFUSALS.iter().any(|alert| Error::AlertReceived(*alert).to_string() == text);
        let tls = error.kind() == io::ErrorKind::InvalidData;
        tls.then_some(if refused { Self::ClientCertificateRefused } else { Self::Broken })
    }
}

/// What a backend says that does not take us for who we are (RFC 8446 section 6.2).
const REFUSALS: [AlertDescription; 9] = [
    AlertDescription::CertificateRequired,
    AlertDescription::NoCertificate,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
];

impl From<&Error> for TlsProblem {
    fn from(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(error) => error.into(),
            Error::AlertReceived(alert) => (*alert).into(),
            Error::NoApplicationProtocol => Self::ProtocolRefused,
            Error::InvalidMessage(_) => Self::NoTls,
            Error::PeerIncompatible(_) => Self::NothingInCommon,
            Error::NoCertificatesPresented => Self::CertificateInvalid,
            _ => Self::Broken,
        }
    }
}

impl From<&CertificateError> for TlsProblem {
    fn from(error: &CertificateError) -> Self {
        use CertificateError as Said;
        match error {
            Said::Expired | Said::ExpiredContext { .. } => Self::CertificateExpired,
            Said::NotValidYet | Said::NotValidYetContext { .. } => Self::CertificateNotYetValid,
            Said::UnknownIssuer => Self::UnknownIssuer,
            Said::NotValidForName | Said::NotValidForNameContext { .. } => Self::NameMismatch,
            _ => Self::CertificateInvalid,
        }
    }
}

/// What a backend says when it ends the connection.
impl From<AlertDescription> for TlsProblem {
    fn from(alert: AlertDescription) -> Self {
        use AlertDescription as Said;
        match alert {
            refusal if REFUSALS.contains(&refusal) => Self::ClientCertificateRefused,
            Said::NoApplicationProtocol => Self::ProtocolRefused,
            Said::HandshakeFailure | Said::ProtocolVersion | Said::InsufficientSecurity => {
                Self::NothingInCommon
            }
            _ => Self::Broken,
        }
    }
}
