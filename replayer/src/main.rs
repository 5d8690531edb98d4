//! `imitate`: record, replay, inspect and manage recordings of Linux programs.

// A message in pieces mixes with the program's own: `tell!` makes one of it.
#![warn(clippy::print_stderr)]

mod analysis;
mod arguments;
mod code;
mod debugger;
mod divergence;
mod doctor;
mod documents;
mod inspect;
mod manage;
mod notes;
mod pager;
mod place;
mod rebuild;
mod run;
mod status;

use analysis::Bisected;
use anyhow::Result;
use arguments::{Command, CommandLine};
use clap::Parser;
use run::{Hunted, Recorded};
use std::process::exit;
use tracer_core::tell;

fn main() {
    // As every other tool: `imitate dump | head` ends quietly. Rust's runtime ignores the signal.
    // SAFETY: sets a signal's default disposition.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let command = match CommandLine::try_parse() {
        Ok(line) => {
            if line.no_pager {
                pager::forbid();
            }
            line.command
        }
        Err(error) => {
            // Help and version come this way too; they are no failure.
            let failed = error.use_stderr();
            let _ = error.print();
            exit(if failed { status::FAILED } else { 0 })
        }
    };
    if is_long(&command) {
        pager::begin();
    }
    let outcome = run(command);
    pager::end();
    match outcome {
        Ok(status) => exit(status),
        Err(error) => {
            tell!("{error:#}");
            exit(status::FAILED)
        }
    }
}

/// Whether a command writes what may not fit on a screen, from its beginning on.
fn is_long(command: &Command) -> bool {
    match command {
        Command::Dump(_) | Command::Stats(_) | Command::Audit(_) | Command::Grep(_) | Command::Ps(_) => true,
        Command::Diff(_) | Command::Ls(_) => true,
        Command::Extract(options) => options.output.is_none() && !options.stdout && !options.replay,
        _ => false,
    }
}

/// Carries out a command; gives the exit status, unless this process is to end as a program did.
fn run(command: Command) -> Result<i32> {
    match command {
        Command::Record(options) => match run::record(&options)? {
            Recorded::Ran(ending) => ending.repeat(),
            Recorded::NotRun(status) => Ok(status),
        },
        Command::Replay(options) => run::replay(&options)?.repeat(),
        Command::Ls(options) => manage::list(options.json).map(|()| 0),
        Command::Rm(options) => manage::remove(&options).map(|()| 0),
        Command::Pack(options) => manage::pack(&options).map(|()| 0),
        Command::Unpack(options) => manage::unpack(&options).map(|()| 0),
        Command::Dump(options) => inspect::dump(&options).map(|()| 0),
        Command::Stats(options) => analysis::print_stats(&options).map(|()| 0),
        Command::Extract(options) => analysis::extract(&options).map(|()| 0),
        Command::Audit(options) => analysis::audit(&options).map(|()| 0),
        Command::Grep(options) => Ok(if analysis::grep(&options)? { 0 } else { status::NO }),
        Command::Locks(options) => analysis::locks(&options).map(|()| 0),
        Command::Deadlocks(options) => Ok(if analysis::deadlocks(&options)? { status::NO } else { 0 }),
        Command::Races(options) => Ok(if analysis::races(&options)? { status::NO } else { 0 }),
        Command::Timeline(options) => analysis::timeline(&options).map(|()| 0),
        Command::Diff(options) => Ok(if analysis::diff(&options)? { status::NO } else { 0 }),
        Command::Export(options) => analysis::export(&options).map(|()| 0),
        Command::Ps(options) => {
            let trace = manage::locate(options.which.trace.as_deref())?;
            inspect::print_processes(&trace, options.json).map(|()| 0)
        }
        Command::Verify(options) => Ok(if run::verify(&options)? { 0 } else { status::NO }),
        Command::Hunt(options) => match run::hunt(&options)? {
            Hunted::Found => Ok(0),
            Hunted::NotFound => Ok(status::NO),
            Hunted::NotRun(status) => Ok(status),
            Hunted::Interrupted(signal) => status::Ending::Killed(signal).repeat(),
        },
        Command::Bisect(options) => match analysis::bisect(&options)? {
            Bisected::Found => Ok(0),
            Bisected::NotFound => Ok(status::NO),
            Bisected::NotRun(status) => Ok(status),
            Bisected::Interrupted(signal) => status::Ending::Killed(signal).repeat(),
        },
        Command::Cc(options) => rebuild::compile(&options)?.repeat(),
        Command::Doctor => Ok(if doctor::examine() { 0 } else { status::NO }),
        Command::Completions(options) => {
            documents::print_completions(options.shell);
            Ok(0)
        }
        Command::Man(options) => documents::write_man_pages(&options.out).map(|()| 0),
        Command::ReplayExec(options) => match run::replay_in_place(&options)? {},
    }
}
