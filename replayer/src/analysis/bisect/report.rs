//! The answer, for people and for programs.

use super::failing::Subject;
use super::meanwhile::{Row, Stretch, Thread};
use super::{Answer, Effect, Rate};
use crate::arguments::Bisect;
use crate::run::{HandOverPlace, named};
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use serde::Serialize;
use std::io::Write;
use std::path::Path;
use tracer_core::tell;

/// Functions of a stack that are shown.
const FRAMES: usize = 8;
/// Turns of other threads that are shown.
const TURNS: usize = 4;

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    /// The program fails with the hand-overs, or passes with them.
    effect: &'static str,
    hand_overs: &'a [Row],
    /// How many hand-overs there were.
    of: usize,
    with: Rate,
    with_none: Rate,
    /// The trace that is kept, which fails.
    trace: Option<&'a Path>,
}

/// Prints it. `made`: how many of the hand-overs the recording that is shown has made, and how many others.
pub fn print(
    answer: &Answer,
    rows: &[Row],
    made: [usize; 2],
    kept: Option<&Path>,
    subject: &Subject,
    options: &Bisect,
) -> Result<()> {
    let mut out = anstream::stdout().lock();
    let of = answer.list.iter().filter(|listed| listed.changes_over()).count();
    if options.json {
        let effect = match answer.effect {
            Effect::Fails => "fails",
            Effect::Passes => "passes",
        };
        let Answer { with, with_none, .. } = *answer;
        let document = Document { effect, hand_overs: rows, of, with, with_none, trace: kept };
        writeln!(out, "{}", serde_json::to_string(&document).context("cannot write JSON")?)?;
        return Ok(());
    }
    write!(out, "{}", summary(answer, of))?;
    for (number, row) in rows.iter().enumerate() {
        writeln!(out)?;
        print_row(number + 1, row, answer.effect, &mut out)?;
    }
    out.flush()?;
    drop(out);
    warn(answer, made);
    match kept {
        Some(trace) => {
            let shell = named(trace);
            let first = rows.first().filter(|_| answer.effect == Effect::Fails);
            let gdb = first
                .map(|row| format!("; where the first is made: imitate replay --gdb={} {shell}", row.event));
            tell!("to replay it: imitate replay {shell}{}", gdb.unwrap_or_default());
        }
        None => {
            tell!("no other run failed, so that there is no trace beside {}", subject.name())
        }
    }
    Ok(())
}

fn summary(answer: &Answer, of: usize) -> String {
    let Answer { effect, part, with, with_none, .. } = answer;
    let count = part.len();
    let (these, hand_overs) =
        if count == 1 { ("it", "hand-overs makes") } else { ("them", "hand-overs make") };
    let run = |rate: &Rate| format!("{rate} runs fail");
    let what = match effect {
        Effect::Fails => "",
        Effect::Passes => ", by which the program does not fail",
    };
    format!(
        "{count} of {of} {hand_overs} the difference{what}: with {these} {}, with none {}\n",
        run(with),
        run(with_none)
    )
}

/// What makes the answer less certain.
fn warn(answer: &Answer, [made, others]: [usize; 2]) {
    let varies = |rate: &&Rate| 0 < rate.failed && rate.failed < rate.runs;
    if [&answer.with].into_iter().chain(&answer.without).any(|rate| varies(&rate)) {
        tell!(
            "the outcome varies with the same hand-overs: it depends on more than who runs when, such as time, input or \
             other processes"
        );
    }
    if made < answer.part.len() {
        tell!(
            "{} of the {} hand-overs were not made in the run that is shown: their places did not come",
            answer.part.len() - made,
            answer.part.len()
        );
    }
    if others > 0 {
        tell!("{others} other hand-overs were made, where a thread kept others waiting for too long");
    }
}

fn print_row(number: usize, row: &Row, effect: Effect, out: &mut impl Write) -> Result<()> {
    const TITLE: Style = AnsiColor::Yellow.on_default().bold();
    let Row { from, to, stack, meanwhile, without, event, .. } = row;
    writeln!(out, "{TITLE}{number}. {} to {}{TITLE:#}, at {event}", who(from), who(to))?;
    writeln!(out, "   {} {}", who(from), place(row))?;
    print_stack(stack, out)?;
    for stretch in meanwhile.iter().take(TURNS) {
        print_stretch(stretch, out)?;
    }
    match meanwhile.len().saturating_sub(TURNS) {
        0 => {}
        1 => writeln!(out, "   and one more turn of another thread, before {} goes on", who(from))?,
        more => writeln!(out, "   and {more} more turns of other threads, before {} goes on", who(from))?,
    }
    let outcome = match effect {
        Effect::Fails => "fail",
        Effect::Passes => "fail then",
    };
    writeln!(out, "   without this hand-over {without} runs {outcome}")?;
    Ok(())
}

fn place(row: &Row) -> String {
    match (row.place, &row.before) {
        (HandOverPlace::Event, Some(event)) => format!("is interrupted before {event}"),
        (HandOverPlace::Point, Some(function)) => format!("is interrupted before it calls {function}"),
        (HandOverPlace::Wait, Some(event)) => format!("gives way in {event}"),
        (HandOverPlace::Event, None) => "is interrupted, and never goes on".into(),
        (HandOverPlace::Wait, None) => "ends, or waits to the end".into(),
        (HandOverPlace::Stop, _) => format!(
            "is interrupted before the instruction at {:#x}, at passage {} of it",
            row.address.unwrap_or_default(),
            row.passages.unwrap_or_default()
        ),
        _ => "is interrupted".into(),
    }
}

fn print_stack(stack: &[String], out: &mut impl Write) -> Result<()> {
    for (depth, frame) in stack.iter().take(FRAMES).enumerate() {
        let word = if depth == 0 { "in" } else { "called by" };
        writeln!(out, "     {word} {frame}")?;
    }
    if stack.len() > FRAMES {
        writeln!(out, "     and {} more", stack.len() - FRAMES)?;
    }
    Ok(())
}

/// What another thread does before the first one goes on.
fn print_stretch(stretch: &Stretch, out: &mut impl Write) -> Result<()> {
    let Stretch { thread, events, count, stack, is_last } = stretch;
    let until = match stack.iter().find(|frame| has_line(frame)).or(stack.first()) {
        Some(frame) if *is_last => format!(", and stays in {frame}"),
        Some(frame) => format!(", until it is in {frame}"),
        None if *is_last => " to its end".to_owned(),
        None => String::new(),
    };
    writeln!(out, "   then {} runs{until}", who(thread))?;
    for event in events {
        writeln!(out, "     {event}")?;
    }
    if *count > events.len() {
        writeln!(out, "     and {} more events", count - events.len())?;
    }
    Ok(())
}

/// Whether a function's place is a line of its source.
fn has_line(frame: &str) -> bool {
    frame.rsplit_once(':').is_some_and(|(_, line)| line.parse::<u32>().is_ok())
}

fn who(thread: &Thread) -> String {
    format!("thread {} ({})", thread.thread, thread.name)
}
