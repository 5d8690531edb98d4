//! The heavy real programs. `cargo xtask soak` installs them first and replays each 20 times.

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::runner::run(examples::debian::soak::table())
}
