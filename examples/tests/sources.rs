//! Every program of ours is recorded once and replayed identically, again and again.

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::runner::run(examples::sources::table())
}
