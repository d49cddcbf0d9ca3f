//! Which errors make accepting pause.

use std::io::Error;

use super::is_of_connection;

#[test]
fn only_the_end_of_one_connection_is_no_reason_to_pause() {
    // The numbers of Linux.
    for (number, name, of_connection) in [
        (103, "ECONNABORTED", true),
        (104, "ECONNRESET", true),
        (4, "EINTR", true),
        (100, "ENETDOWN", true),
        (101, "ENETUNREACH", true),
        (113, "EHOSTUNREACH", true),
        (24, "EMFILE", false),
        (23, "ENFILE", false),
        (105, "ENOBUFS", false),
        (12, "ENOMEM", false),
        (22, "EINVAL", false),
    ] {
        assert_eq!(is_of_connection(&Error::from_raw_os_error(number)), of_connection, "{name}");
    }
}
