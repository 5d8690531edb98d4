//! The table of real programs.

use crate::case::{Case, debian};

/// Real programs, unmodified from Debian.
pub fn table() -> Vec<Case> {
    vec![debian("coreutils", "date +%N").varies()]
}
