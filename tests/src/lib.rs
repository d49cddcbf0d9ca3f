//! The harness of the tests: real parts, each started on a free port of loopback and ended with
//! the test that began it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "what fails here must fail the test that called it"
)]

pub mod dns;
pub mod eventually;
pub mod fairway;
pub mod floods;
pub mod gateway;
pub mod grpc;
pub mod helm;
pub mod http;
pub mod http2;
pub mod kube;
pub mod load;
pub mod matrix;
pub mod origin;
pub mod process;
pub mod tls;
