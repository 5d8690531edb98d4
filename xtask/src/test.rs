//! `cargo xtask test`: the checks that a change has to pass, quickest first.

use crate::commands;
use anyhow::Result;

/// The tests come last, and those in the documentation before the others, so that the output closes with the
/// result lines of tests.
const STEPS: &[&[&str]] = &[
    &["fmt", "--all", "--check"],
    &["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"],
    // Libraries alone: the library and the tool are both called imitate, and so would their pages be.
    &["doc", "--workspace", "--lib", "--no-deps", "--document-private-items"],
    // The tests record and replay with the optimised tool and library.
    &["build", "--release", "--package", "preload", "--package", "replayer"],
    &["test", "--workspace", "--doc"],
    // Tests of the allocator preload it.
    &["build", "--package", "preload", "--example", "allocator"],
    &["test", "--workspace", "--lib", "--bins", "--tests"],
];

/// Runs the steps until one fails.
pub fn run() -> Result<()> {
    for arguments in STEPS {
        let mut step = commands::cargo(arguments);
        // Private items are documented too, so links to them lead somewhere.
        step.env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private-intra-doc-links");
        commands::run(step)?;
    }
    Ok(())
}
