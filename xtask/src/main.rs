//! `cargo xtask`: the project's chores as commands, so that they need no shell and no other tool.

mod archive;
mod commands;
mod demo;
mod dist;
mod documents;
mod guide;
mod soak;
mod test;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Imitate's own chores
#[derive(Parser)]
#[command(name = "xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build everything, record real programs, replay them, and show that nothing differs
    Demo,
    /// Run every check that CI runs: format, lints, documentation, build, tests
    Test,
    /// Make the documents a book, and check their links
    Guide {
        /// Ask for the pages elsewhere that they link to instead
        #[arg(long)]
        external: bool,
    },
    /// Install the heavy real programs (by apt-get), record each and replay it 20 times
    Soak {
        /// Only those whose name has this in it
        filter: Option<String>,
    },
    /// Make a .tar.gz and a .deb of the tool, the library, man pages, completions and the guide
    Dist {
        /// Where they go [default: dist in the target directory]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let done = match CommandLine::parse().chore {
        Chore::Demo => demo::run(),
        Chore::Guide { external } => guide::run(external),
        Chore::Soak { filter } => soak::run_soak(filter),
        Chore::Test => test::run(),
        Chore::Dist { out } => dist::run(out),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
