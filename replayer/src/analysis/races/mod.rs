//! `imitate races`: accesses to the same memory, one of which writes, that nothing orders.
//!
//! It takes three replays. The first one tells which pages several threads use; the second one each access to these, which is
//! compared with those of other threads by the order that locks and their like make ([`order`], [`shadow`], [`finder`]);
//! the third one the stacks of those that race.

mod finder;
mod instruction;
mod order;
mod shadow;
mod site;
mod unseen;

use super::family::Family;
use super::findings::show;
use super::recording::Recording;
use super::watched::{Captured, Images, Space, run};
use crate::arguments::Races;
use crate::manage::locate;
use crate::place::Place;
use crate::run::{Accesses, Watched, watch, watch_until_divergence};
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use finder::{Finder, Race, Racer};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use tracer_core::session::watch::{PAGES, STACKS, what};
use tracer_core::tell;

/// Accesses that sync order does not see, of those that a replay which went another way made last.
const UNSEEN: usize = 5;

/// A race, as `--json` shows it.
#[derive(Serialize)]
struct Row {
    /// A variable's name, or the address.
    memory: String,
    address: u64,
    size: u64,
    /// How often the two places raced.
    count: u64,
    /// It is no race: the variable is accessed atomically, and sync order does not see in which order.
    atomic: bool,
    accesses: [Access; 2],
}

/// One of its accesses: the first one that the two places raced with.
#[derive(Serialize)]
struct Access {
    process: u32,
    thread: u32,
    name: String,
    /// What the thread does next, as `STREAM:EVENT`.
    event: String,
    writes: bool,
    site: String,
    locks: Vec<String>,
    stack: Vec<String>,
}

/// Prints the races; gives whether there are any.
pub fn races(options: &Races) -> Result<bool> {
    let directory = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&directory)?;
    let family = Family::of(&recording);
    let images = Images::of(&directory, &recording, &family)?;
    let found = find(&directory, &recording, &images, &family, options.atomics)?;
    show(&found, options.json, "no race was seen", print)
}

fn find(
    directory: &Path,
    recording: &Recording,
    images: &Images,
    family: &Family,
    atomics: bool,
) -> Result<Vec<Row>> {
    let exact = recording.manifest.order == "sync";
    let watch = |told| watch_as_far_as_possible(directory, exact, told);
    let (first, _) = watch(Accesses::Pages)?;
    first.say_how_it_ends();
    let mut pages: Vec<u64> = first
        .records
        .iter()
        .filter(|record| record.what == what::SHARES)
        .map(|record| record.object)
        .collect();
    pages.sort_unstable();
    pages.dedup();
    if pages.len() > PAGES {
        tell!("threads share {} pages; only accesses to the first {PAGES} are looked at", pages.len());
        pages.truncate(PAGES);
    }
    if pages.is_empty() {
        return Ok(Vec::new());
    }
    let leader = |stream| family.leader(stream);
    let (second, has_diverged) = watch(Accesses::Of(&pages, &[]))?;
    if second.is_cut {
        tell!("there are more accesses than can be looked at; what comes later is not seen");
    }
    let mut finder = Finder::new(images, &second.records, exact, &leader);
    run(&second.records, exact, &leader, &mut finder);
    drop(second);
    let [mut races, mut unseen] = finder.finish();
    if !atomics {
        unseen.truncate(if has_diverged { UNSEEN } else { 0 });
    }
    races.append(&mut unseen);
    let stacks = match races.is_empty() {
        true => Captured::default(),
        false => Captured::read(&watch(Accesses::Of(&pages, &wanted(&races)))?.0.records),
    };
    Ok(by_lines(races.iter().map(|race| row(race, images, family, &stacks))))
}

/// In sync order a replay of a program that races goes another way when two accesses have come the other way round. What was
/// told until then counts: these accesses are in it. Gives whether it did.
fn watch_as_far_as_possible(directory: &Path, is_sync: bool, told: Accesses) -> Result<(Watched, bool)> {
    if !is_sync {
        return Ok((watch(directory, told)?, false));
    }
    let (watched, divergence) = watch_until_divergence(directory, told)?;
    let has_diverged = divergence.is_some();
    if let (Some(report), Accesses::Of(_, [])) = (divergence, told) {
        tell!("the replay went another way, and what comes behind that is not seen:\n{report}");
    }
    Ok((watched, has_diverged))
}

/// Instructions of a line that race with those of another are one race: the first one, with all that it did.
fn by_lines(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        let sites = |row: &Row| {
            let mut sites = [0, 1].map(|i| row.accesses[i].site.clone());
            sites.sort_unstable();
            sites
        };
        match merged.iter_mut().find(|known| known.atomic == row.atomic && sites(known) == sites(&row)) {
            Some(known) => known.count += row.count,
            None => merged.push(row),
        }
    }
    merged
}

/// The accesses whose stacks are shown.
fn wanted(races: &[Race]) -> Vec<[u64; 2]> {
    let of = |racer: &Racer| [racer.stream.into(), racer.ordinal];
    let mut all: Vec<[u64; 2]> =
        races.iter().flat_map(|race| race.racers.iter().map(of)).take(STACKS).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn row(race: &Race, images: &Images, family: &Family, stacks: &Captured) -> Row {
    let Race { space, memory, racers, count, is_unseen, .. } = race;
    Row {
        memory: images.variable(*space, memory.start),
        address: memory.start,
        size: memory.end - memory.start,
        count: *count,
        atomic: *is_unseen,
        accesses: [0, 1].map(|i| access(&racers[i], *space, images, family, stacks)),
    }
}

fn access(racer: &Racer, space: Space, images: &Images, family: &Family, stacks: &Captured) -> Access {
    let (process, thread, name) = family.who(racer.stream);
    // A call's address is that behind it.
    let caller = if racer.in_libc { racer.site } else { racer.site.saturating_add(1) };
    let mut site = images.call_site(space, caller);
    if racer.in_libc {
        site = format!("a function of libc that is called in {site}");
    }
    Access {
        process,
        thread,
        name,
        event: Place { stream: racer.stream, event: racer.event }.to_string(),
        writes: racer.writes,
        site,
        locks: racer.held.iter().map(|lock| images.variable(lock.space, lock.address)).collect(),
        stack: match stacks.is_by(racer.stream, racer.ordinal, racer.instruction) {
            true => stacks.of(racer.stream, racer.ordinal, space, images),
            false => Vec::new(),
        },
    }
}

fn print(row: &Row, out: &mut dyn Write) -> Result<()> {
    const BAD: Style = AnsiColor::Red.on_default().bold();
    let Row { memory, size, count, atomic, accesses, .. } = row;
    let times = if *count == 1 { String::new() } else { format!(", {count} times") };
    match atomic {
        true => {
            writeln!(out, "unseen atomics on {memory} ({size} bytes){times}: sync order does not order them")?
        }
        false => writeln!(out, "{BAD}race{BAD:#} on {memory} ({size} bytes){times}")?,
    }
    for Access { thread, name, event, writes, site, locks, stack, .. } in accesses {
        let verb = if *writes { "writes" } else { "reads" };
        writeln!(out, "  thread {thread} ({name}) {verb} in {site}, before event {event}")?;
        if !locks.is_empty() {
            writeln!(out, "    with {} locked", locks.join(", "))?;
        }
        for frame in stack.iter().skip(1) {
            writeln!(out, "    called by {frame}")?;
        }
    }
    Ok(())
}
