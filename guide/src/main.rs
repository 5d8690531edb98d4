//! The guide: the documents of `docs/` as a book, with its links checked.

mod book;
mod external;
mod links;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Makes the guide a book, or checks what it links to
#[derive(Parser)]
#[command(name = "guide")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Check the links between the documents, and write the book
    Build {
        /// Where it goes [default: guide in the target directory]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Ask for every page elsewhere that the documents link to, with curl
    External,
}

/// The workspace's top directory.
fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("guide is a folder of the workspace")
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Build { out } => {
            let index = book::build(workspace(), out)?;
            println!("{}", index.display());
            Ok(())
        }
        Task::External => external::check(workspace()),
    }
}

fn main() -> ExitCode {
    match run(CommandLine::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guide: {error:#}");
            ExitCode::FAILURE
        }
    }
}
