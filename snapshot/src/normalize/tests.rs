//! Tests of `normalize`.
