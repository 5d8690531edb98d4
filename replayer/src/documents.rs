//! Man pages and shell completions, made from the command line's own description.

use crate::arguments::CommandLine;
use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::Path;

/// Prints the completion script for `shell` on stdout.
pub fn print_completions(shell: Shell) {
    clap_complete::generate(shell, &mut CommandLine::command(), "imitate", &mut std::io::stdout());
}

/// Writes `imitate.1` and one page for each visible subcommand into `directory`.
pub fn write_man_pages(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    clap_mangen::generate_to(CommandLine::command().disable_help_subcommand(true), directory)
        .with_context(|| format!("cannot write man pages into {}", directory.display()))
}
