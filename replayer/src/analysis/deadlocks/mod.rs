//! `imitate deadlocks`: threads that wait for each other at the end of a trace, and orders of locks in which they could have.

mod cycles;
mod graph;

use super::findings::show;
use super::watched::{LockId, Sort, Space, Told, Waiting, run, tell};
use crate::arguments::Deadlocks;
use crate::manage::locate;
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use cycles::deadlocked;
use graph::{Edge, Graph};
use serde::Serialize;
use std::io::Write;

/// A deadlock, as `--json` shows it.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Finding {
    /// Threads wait for each other.
    Deadlock { threads: Vec<Blocked> },
    /// They could have.
    Inversion { threads: Vec<Step> },
}

/// A thread that waits.
#[derive(Serialize)]
struct Blocked {
    process: u32,
    thread: u32,
    stream: u32,
    name: String,
    sort: Sort,
    /// What it waits for.
    object: String,
    site: String,
    /// Threads that have it, or are it.
    held_by: Vec<u32>,
}

/// A thread that takes a lock while it has another one.
#[derive(Serialize)]
struct Step {
    process: u32,
    thread: u32,
    stream: u32,
    name: String,
    held: String,
    held_since: String,
    taken: String,
    site: String,
}

/// Prints the deadlocks; gives whether there are any.
pub fn deadlocks(options: &Deadlocks) -> Result<bool> {
    let directory = locate(options.which.trace.as_deref())?;
    let told = tell(&directory)?;
    let sync = told.recording.manifest.order == "sync";
    let mut graph = Graph::new(options.tries);
    let waiting = run(&told.watched.records, sync, &|stream| told.family.leader(stream), &mut graph);
    let mut findings = Vec::new();
    for cycle in deadlocked(&waiting) {
        let threads = cycle.iter().map(|waiting| blocked(&told, waiting)).collect();
        findings.push(Finding::Deadlock { threads });
    }
    for cycle in graph.inversions() {
        findings.push(Finding::Inversion { threads: cycle.iter().map(|edge| step(&told, edge)).collect() });
    }
    show(&findings, options.json, "no deadlock, and no locks in orders that could lead to one", print)
}

fn object(told: &Told, lock: LockId) -> String {
    told.images.variable(lock.space, lock.address)
}

fn blocked(told: &Told, waiting: &Waiting) -> Blocked {
    let taking = &waiting.taking;
    let (process, thread, name) = told.family.who(taking.stream);
    let held_by: Vec<u32> = waiting.holders.iter().map(|stream| told.family.who(*stream).1).collect();
    let object = match (taking.sort, held_by.first()) {
        (Sort::Thread, Some(thread)) => thread.to_string(),
        _ => object(told, taking.object),
    };
    let site = told.images.call_site(taking.object.space, taking.caller);
    Blocked { process, thread, stream: taking.stream, name, sort: taking.sort, object, site, held_by }
}

fn step(told: &Told, edge: &Edge) -> Step {
    let (process, thread, name) = told.family.who(edge.past.stream);
    let space: Space = edge.held.space;
    Step {
        process,
        thread,
        stream: edge.past.stream,
        name,
        held: object(told, edge.held),
        held_since: told.images.call_site(space, edge.held_caller),
        taken: object(told, edge.taken),
        site: told.images.call_site(space, edge.caller),
    }
}

fn print(finding: &Finding, out: &mut dyn Write) -> Result<()> {
    const BAD: Style = AnsiColor::Red.on_default().bold();
    const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
    match finding {
        Finding::Deadlock { threads } => {
            writeln!(out, "{BAD}deadlock{BAD:#}: threads wait for each other when the trace ends")?;
            for blocked in threads {
                let Blocked { thread, name, sort, object, site, held_by, .. } = blocked;
                writeln!(out, "  thread {thread} ({name}) waits for {} {object}, in {site}", sort.name())?;
                if *sort != Sort::Thread {
                    let holders: Vec<String> = held_by.iter().map(u32::to_string).collect();
                    writeln!(out, "    held by thread {}", holders.join(", "))?;
                }
            }
        }
        Finding::Inversion { threads } => {
            writeln!(out, "{DOUBTFUL}inversion{DOUBTFUL:#}: threads could have waited for each other")?;
            for Step { thread, name, held, held_since, taken, site, .. } in threads {
                writeln!(out, "  thread {thread} ({name}) had {held} since {held_since}")?;
                writeln!(out, "    and took {taken} in {site}")?;
            }
        }
    }
    Ok(())
}
