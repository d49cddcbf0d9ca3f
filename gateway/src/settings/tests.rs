//! Settings as people get them wrong.
