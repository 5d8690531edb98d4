//! `imitate audit`: what a program did to the system and to itself that somebody who investigates wants to know.

mod files;
mod findings;

use super::family::{Family, text};
use super::recording::Recording;
use super::walk::walk;
use crate::arguments::Audit;
use crate::manage::locate;
use crate::place::Place;
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use files::Images;
use findings::Finding;
use serde::Serialize;
use std::io::Write;

/// What sort of thing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Programs that were executed, with their hashes
    Exec,
    /// Files that were opened for writing, created, deleted, renamed, or whose rights were changed
    Files,
    /// Files that were only read
    Reads,
    /// Addresses of peers, and those that were listened at
    Network,
    /// Changes of users, groups, capabilities, and other privileges
    Privileges,
    /// Memory that was made executable
    Memory,
}

/// A finding, as `--json` shows it.
#[derive(Serialize)]
struct Row<'a> {
    place: Place,
    process: u32,
    thread: u32,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Prints the findings in a possible order.
pub fn audit(options: &Audit) -> Result<()> {
    let directory = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&directory)?;
    let family = Family::of(&recording);
    let mut images = Images::new(&recording);
    let mut out = anstream::stdout().lock();
    // What only reads is most of everything: it is shown when asked for.
    let wanted = |topic: Topic| match options.only.as_slice() {
        [] => topic != Topic::Reads,
        only => only.contains(&topic),
    };
    walk(&recording, &family, |seen, objects| {
        let Some(finding) = findings::of(seen, objects, &mut images) else { return Ok(true) };
        if !wanted(finding.topic) || (finding.error.is_some() && !options.failed) {
            return Ok(true);
        }
        let member = family.members.get(&seen.stream);
        let row = Row {
            place: Place { stream: seen.stream, event: seen.event.index },
            process: member.map_or(0, |member| member.process),
            thread: member.map_or(0, |member| member.thread),
            finding: &finding,
        };
        if options.json {
            writeln!(out, "{}", serde_json::to_string(&row).context("cannot write JSON")?)?;
        } else {
            print(&row, &mut out)?;
        }
        Ok(true)
    })?;
    drop(out);
    recording.warn_if_it_ends_early();
    Ok(())
}

fn print(row: &Row, out: &mut impl Write) -> Result<()> {
    let finding = row.finding;
    let style = match finding.topic {
        Topic::Exec => AnsiColor::Cyan.on_default(),
        Topic::Network => AnsiColor::Blue.on_default(),
        Topic::Privileges | Topic::Memory => AnsiColor::Red.on_default(),
        Topic::Files | Topic::Reads => Style::new(),
    };
    let (place, action) = (row.place.to_string(), finding.action);
    write!(
        out,
        "{:>7} {place:>9}  {style}{action:<11}{style:#} {}",
        row.thread,
        text(finding.subject.as_bytes())
    )?;
    if !finding.details.is_empty() {
        write!(out, "  {}", text(finding.details.as_bytes()))?;
    }
    if let Some(error) = &finding.error {
        write!(out, "  failed: {error}")?;
    }
    writeln!(out)?;
    Ok(())
}
