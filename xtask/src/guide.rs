//! `cargo xtask guide`: the documents as a book. A package of its own makes it, so that the other chores need not wait until mdBook is
//! compiled.

use crate::commands::{cargo, run as run_command};
use anyhow::Result;

/// Makes the book, or asks for the pages elsewhere that it links to.
pub fn run(external: bool) -> Result<()> {
    let task = if external { "external" } else { "build" };
    run_command(cargo(&["run", "--quiet", "--package", "guide", "--", task]))
}
