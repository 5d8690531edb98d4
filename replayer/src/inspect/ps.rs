//! `imitate ps`: the processes and threads of a trace as a tree.

use crate::analysis::{Family, Image, Member, Recording, text};
use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::HumanCount;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Longer command lines are cut in the table.
const COMMAND_WIDTH: usize = 60;

/// A stream, as `--json` shows it.
#[derive(Serialize)]
struct Row<'a> {
    stream: u32,
    /// The stream that created it.
    creator: Option<u32>,
    /// `process` or `thread`.
    kind: &'a str,
    process: u32,
    thread: u32,
    name: Option<String>,
    /// What it executed, one after the other.
    images: &'a [Image],
    events: u64,
    /// How often the thread got the right to run.
    turns: u64,
    /// `exit 0`, `SIGSEGV`, or in words.
    ended: String,
}

/// Prints them on stdout.
pub fn print_processes(directory: &Path, json: bool) -> Result<()> {
    let recording = Recording::open(directory)?;
    let family = Family::of(&recording);
    let mut out = std::io::stdout().lock();
    if json {
        for (stream, member) in &family.members {
            let row = row(*stream, member);
            writeln!(out, "{}", serde_json::to_string(&row).context("cannot write a stream as JSON")?)?;
        }
    } else {
        writeln!(out, "{}", table(&family).trim_fmt())?;
    }
    recording.warn_if_it_ends_early();
    Ok(())
}

fn row(stream: u32, member: &Member) -> Row<'_> {
    Row {
        stream,
        creator: member.creator,
        kind: if member.is_thread { "thread" } else { "process" },
        process: member.process,
        thread: member.thread,
        name: member.name.as_deref().map(text),
        images: &member.images,
        events: member.events,
        turns: member.turns,
        ended: member.end.to_string(),
    }
}

fn table(family: &Family) -> Table {
    let mut children = BTreeMap::<Option<u32>, Vec<u32>>::new();
    for (stream, member) in &family.members {
        children.entry(member.creator).or_default().push(*stream);
    }
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["PROCESS OR THREAD", "STREAM", "EVENTS", "TURNS", "ENDED"]);
    // Depth first without recursion: a trace may be a chain of any length.
    let mut pending: Vec<(u32, usize)> =
        children.remove(&None).unwrap_or_default().into_iter().rev().map(|s| (s, 0)).collect();
    while let Some((stream, depth)) = pending.pop() {
        let member = &family.members[&stream];
        table.add_row([
            format!("{}{}", "  ".repeat(depth.min(32)), label(member)),
            stream.to_string(),
            HumanCount(member.events).to_string(),
            HumanCount(member.turns).to_string(),
            member.end.to_string(),
        ]);
        let below = children.remove(&Some(stream)).unwrap_or_default();
        pending.extend(below.into_iter().rev().map(|child| (child, depth + 1)));
    }
    for column in table.column_iter_mut().skip(1).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// `4711 sh -> date +%s`, or `4712 {worker}` for a thread.
fn label(member: &Member) -> String {
    let name = member.name.as_deref().map(text);
    let shown = if member.is_thread {
        format!("{{{}}}", name.as_deref().unwrap_or("thread"))
    } else {
        let (last, before) = match member.images.split_last() {
            Some((last, before)) => (command(last), before),
            None => (String::new(), &[][..]),
        };
        let mut words: Vec<String> = before.iter().map(|image| base_name(image).to_owned()).collect();
        words.push(last);
        let named = name.map(|name| format!(" {{{name}}}")).unwrap_or_default();
        words.join(" -> ") + &named
    };
    let mut line: String = shown.chars().take(COMMAND_WIDTH).collect();
    if line.len() < shown.len() {
        line.push_str("...");
    }
    match member.thread {
        0 => format!("? {line}"),
        id => format!("{id} {line}"),
    }
}

fn base_name(image: &Image) -> &str {
    image.executable.rsplit('/').next().unwrap_or_default()
}

fn command(image: &Image) -> String {
    if image.arguments.is_empty() { base_name(image).to_owned() } else { image.arguments.join(" ") }
}
