//! `imitate ls`.

use super::{command_line, ending};
use crate::status::{Ending, signal_name};
use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use indicatif::{HumanBytes, HumanCount};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use std::io::Write;
use tracer_core::trace::directory::{self, Listed};
use tracer_core::trace::manifest::{Ended, Manifest};

/// Longer command lines are cut in the table.
const COMMAND_WIDTH: usize = 48;

/// A trace, as `--json` shows it. Times are nanoseconds since 1970, sizes bytes.
#[derive(Serialize)]
struct Row {
    name: String,
    path: String,
    began: Option<u64>,
    command: String,
    /// `exit 0`, `SIGSEGV`, `recording`, or why it is not known.
    ended: String,
    /// Whether the trace holds the program's whole run.
    complete: bool,
    events: Option<u64>,
    size: u64,
    /// The seed, if it was recorded with chaos.
    chaos: Option<u64>,
}

/// Prints the traces of the storage directory on stdout, oldest first.
pub fn list(json: bool) -> Result<()> {
    let rows: Vec<Row> = directory::list(&directory::root()?)?.iter().map(row).collect();
    let mut out = std::io::stdout().lock();
    if json {
        for row in &rows {
            writeln!(out, "{}", serde_json::to_string(row).context("cannot write a trace as JSON")?)?;
        }
    } else if rows.is_empty() {
        writeln!(out, "No traces yet. Make one: imitate record -- COMMAND")?;
    } else {
        writeln!(out, "{}", table(&rows).trim_fmt())?;
    }
    Ok(())
}

fn row(listed: &Listed) -> Row {
    let name = listed.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let path = listed.path.display().to_string();
    match &listed.manifest {
        Ok(manifest) => Row {
            name,
            path,
            began: Some(manifest.began),
            command: command_line(manifest),
            ended: ended(manifest, listed.being_recorded),
            complete: manifest.ended == Ended::Complete,
            events: (manifest.finished > 0).then_some(manifest.totals.events),
            size: listed.size,
            chaos: manifest.chaos(),
        },
        Err(error) => Row {
            name,
            path,
            began: None,
            command: String::new(),
            ended: error.to_string(),
            complete: false,
            events: None,
            size: listed.size,
            chaos: None,
        },
    }
}

fn ended(manifest: &Manifest, being_recorded: bool) -> String {
    match (&manifest.ended, ending(manifest)) {
        (Ended::Recording, _) if being_recorded => "recording".to_owned(),
        (Ended::Recording, _) => "incomplete: the recorder was killed".to_owned(),
        (Ended::Complete, Some(ending)) => ending.to_string(),
        (Ended::Complete, None) => "unknown".to_owned(),
        // Nothing that is sent to a program from outside to kill it can be in its trace.
        (Ended::Early(_), Some(Ending::Killed(signal))) => signal_name(signal),
        (Ended::Early(reason), Some(ending)) => format!("{ending}, incomplete: {reason}"),
        (Ended::Early(reason), None) => format!("incomplete: {reason}"),
    }
}

fn table(rows: &[Row]) -> Table {
    // Most have none.
    let any_chaos = rows.iter().any(|row| row.chaos.is_some());
    let mut columns = vec!["NAME", "WHEN", "EVENTS", "SIZE", "CHAOS", "COMMAND", "ENDED"];
    columns.retain(|column| any_chaos || *column != "CHAOS");
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(&columns);
    for row in rows {
        table.add_row(columns.iter().map(|column| match *column {
            "NAME" => row.name.clone(),
            "WHEN" => row.began.map_or_else(|| "-".to_owned(), local_time),
            "EVENTS" => row.events.map_or_else(|| "-".to_owned(), |events| HumanCount(events).to_string()),
            "SIZE" => HumanBytes(row.size).to_string(),
            "CHAOS" => row.chaos.map_or_else(|| "-".to_owned(), |seed| seed.to_string()),
            "COMMAND" => shortened(&row.command),
            // Last, because a reason may be long.
            _ => row.ended.clone(),
        }));
    }
    for column in table.column_iter_mut().skip(2).take(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// Control characters in a command line must neither break the table nor reach the terminal.
fn shortened(command: &str) -> String {
    let mut shown: String =
        command.chars().map(|c| if c.is_control() { ' ' } else { c }).take(COMMAND_WIDTH + 1).collect();
    if let Some((cut, _)) = shown.char_indices().nth(COMMAND_WIDTH) {
        shown.truncate(cut);
        shown.push_str("...");
    }
    shown
}

fn local_time(nanoseconds: u64) -> String {
    match Timestamp::from_nanosecond(nanoseconds.into()) {
        Ok(time) => time.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => "-".to_owned(),
    }
}
