//! Man pages and shell completions, made from the command line's own description.

use crate::arguments::CommandLine;
use crate::notes::{ENVIRONMENT, EXIT_STATUS, Section};
use anyhow::{Context, Result};
use clap::builder::Resettable;
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io::Write;
use std::path::Path;

/// Prints the completion script for `shell` on stdout.
pub fn print_completions(shell: Shell) {
    clap_complete::generate(shell, &mut CommandLine::command(), "imitate", &mut std::io::stdout());
}

/// Writes `imitate.1` and one page for each visible subcommand into `directory`.
pub fn write_man_pages(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    let mut command = CommandLine::command().disable_help_subcommand(true);
    // Gives the subcommands their full names.
    command.build();
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        write_page(subcommand, directory)?;
    }
    write_page(&command, directory)
}

fn write_page(command: &Command, directory: &Path) -> Result<()> {
    // The notes have sections of their own here.
    let described = command.clone().after_help(Resettable::Reset).after_long_help(Resettable::Reset);
    let man = Man::new(described).source(concat!("imitate ", env!("CARGO_PKG_VERSION")));
    let mut page = Vec::new();
    man.render(&mut page)?;
    for section in [EXIT_STATUS, ENVIRONMENT] {
        write_section(&section, &mut page)?;
    }
    let path = directory.join(man.get_filename());
    std::fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))
}

fn write_section(section: &Section, out: &mut impl Write) -> Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", [section.title.to_uppercase().as_str()]);
    for (term, meaning) in section.rows {
        roff.control("TP", []);
        roff.text([bold(*term)]);
        roff.text([roman(*meaning)]);
    }
    Ok(roff.to_writer(out)?)
}
