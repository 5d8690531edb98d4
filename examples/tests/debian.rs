//! Real programs, unmodified from Debian, are recorded once and replayed identically, again and again.

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::runner::run(examples::debian::table())
}
