//! Compiling, as data.
