//! Errors as gRPC knows them.

use super::ProxyError;

impl ProxyError {
    /// The code of gRPC, as its document "HTTP to gRPC status code mapping" has it, and where that says
    /// less, the one that says what happened.
    pub(crate) fn grpc_status(self) -> u16 {
        const CANCELLED: u16 = 1;
        const UNKNOWN: u16 = 2;
        const DEADLINE_EXCEEDED: u16 = 4;
        const RESOURCE_EXHAUSTED: u16 = 8;
        const UNIMPLEMENTED: u16 = 12;
        const INTERNAL: u16 = 13;
        const UNAVAILABLE: u16 = 14;
        match self.status().as_u16() {
            400 => INTERNAL,
            404 | 405 | 501 => UNIMPLEMENTED,
            408 | 504 => DEADLINE_EXCEEDED,
            413 | 414 | 431 => RESOURCE_EXHAUSTED,
            429 | 502 | 503 => UNAVAILABLE,
            499 => CANCELLED,
            500 => INTERNAL,
            _ => UNKNOWN,
        }
    }
}
