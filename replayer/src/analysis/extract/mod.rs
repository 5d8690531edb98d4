//! `imitate extract`: files and streams as a program read and wrote them.

mod collect;
mod image;
mod replayed;

use super::family::{Family, text};
use super::objects::{Object, Sort};
use super::recording::Recording;
use super::table::{bytes, count, table};
use super::transfer::{Direction, Piece};
use super::walk::walk;
use crate::arguments::Extract;
use crate::manage::locate;
use anyhow::{Context, Result, bail};
use collect::{Collected, Request, collect, make_directory};
use image::Image;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use tempfile::TempDir;
use tracer_core::tell;
use tracer_core::trace::byte_string::ByteString;

/// Name of the list of what was extracted.
const INDEX: &str = "index.json";

/// Lists what there is, or extracts it.
pub fn extract(options: &Extract) -> Result<()> {
    let trace = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&trace)?;
    let family = Family::of(&recording);
    let directions: &[Direction] = match (options.read, options.written) {
        (true, false) => &[Direction::Read],
        (false, true) => &[Direction::Written],
        _ => &[Direction::Read, Direction::Written],
    };
    let chosen = chosen(&recording, &family, &options.select)?;
    let selects = |number: usize| chosen.as_ref().is_none_or(|chosen| chosen.contains(&number));
    let request =
        |target| Request { trace: &trace, target, until: options.until, selects: &selects, directions };
    let mut failure = None;
    if let Some(target) = &options.output {
        make_directory(target)?;
        let collected = gather(&recording, &family, &request(target), options.replay)?;
        let index = index(&collected);
        let path = target.join(INDEX);
        let text = serde_json::to_vec_pretty(&index).context("cannot write JSON")?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        report(&index, &collected, options.replay);
        failure = collected.failure;
    } else if options.stdout {
        let place = TempDir::new().context("cannot make a temporary directory")?;
        let collected = gather(&recording, &family, &request(place.path()), options.replay)?;
        let mut images = collected.images.values();
        let (Some(image), None) = (images.next(), images.next()) else {
            bail!(
                "{} files and streams are selected, --stdout takes one: say which with --select, --read, --written",
                collected.images.len()
            )
        };
        let mut file = std::fs::File::open(image.path()).context("cannot open what was extracted")?;
        std::io::copy(&mut file, &mut std::io::stdout().lock()).context("cannot write to stdout")?;
        report(&index(&collected), &collected, options.replay);
        failure = collected.failure;
    } else {
        list(&recording, &family, &selects, options.json)?;
    }
    recording.warn_if_it_ends_early();
    match failure {
        None => Ok(()),
        Some(failure) => {
            bail!("what was extracted lacks what only a replay has, because that failed:\n{failure}")
        }
    }
}

/// The objects whose number one of the words is, or that have one in a name that they had at any time; `None`, for all, if
/// there are no words.
fn chosen(recording: &Recording, family: &Family, words: &[String]) -> Result<Option<HashSet<usize>>> {
    if words.is_empty() {
        return Ok(None);
    }
    let fits = |number: usize, object: &Object| {
        let name = String::from_utf8_lossy(&object.name);
        words.iter().any(|word| word.parse() == Ok(number) || name.contains(word.as_str()))
    };
    let mut chosen = HashSet::new();
    let objects = walk(recording, family, |seen, objects| {
        let moved = seen.moved.iter().map(|moved| moved.object);
        chosen
            .extend(moved.filter(|number| objects.get(*number).is_some_and(|object| fits(*number, object))));
        Ok(true)
    })?;
    chosen.extend(
        objects
            .list()
            .iter()
            .enumerate()
            .filter(|(number, object)| fits(*number, object))
            .map(|found| found.0),
    );
    Ok(Some(chosen))
}

/// Collects what the trace has, and then what a replay has.
fn gather(recording: &Recording, family: &Family, request: &Request, by_replay: bool) -> Result<Collected> {
    let mut collected = collect(recording, family, request)?;
    if !by_replay || collected.wanted.iter().all(|wanted| wanted.summary.is_none()) {
        return Ok(collected);
    }
    let replayed = replayed::replay(recording, request.trace, &collected.wanted)?;
    for image in collected.images.values_mut() {
        for missing in image.missing() {
            let summary = collected.wanted.get(missing.piece).and_then(|wanted| wanted.summary);
            if let Some((output, place)) = summary.and_then(|summary| replayed.find(summary)) {
                let length = missing.range.end - missing.range.start;
                image.copy(missing.range.start, output, place + missing.within, length)?;
            }
        }
    }
    collected.reasons.extend(replayed.complaint.map(|said| format!("the replay said: {said}")));
    collected.failure = replayed.failure;
    Ok(collected)
}

/// An object, as `index.json` and `--json` show it.
#[derive(Serialize)]
struct Row {
    number: usize,
    sort: Sort,
    name: ByteString,
    read: Option<Part>,
    written: Option<Part>,
}

/// What went one way.
#[derive(Default, Serialize)]
struct Part {
    /// The file that it is in now.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    /// Of a stream, the bytes that went; of a file, up to where they went.
    bytes: u64,
    /// How many of them the trace does not have.
    missing_bytes: u64,
    /// Which: first byte, and the one after the last. They are zeros in the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<(u64, u64)>,
    /// Bytes that the program has not touched. They are zeros in the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    holes: Vec<(u64, u64)>,
}

fn index(collected: &Collected) -> Vec<Row> {
    let part = |image: &Image| {
        let missing: Vec<_> =
            image.missing().iter().map(|missing| (missing.range.start, missing.range.end)).collect();
        Part {
            file: image.path().file_name().map(|name| name.to_string_lossy().into_owned()),
            bytes: image.size(),
            missing_bytes: missing.iter().map(|(begin, end)| end - begin).sum(),
            missing,
            holes: image.holes().into_iter().map(|range| (range.start, range.end)).collect(),
        }
    };
    let mut rows = BTreeMap::<usize, Row>::new();
    for (&(number, direction), image) in &collected.images {
        let Some(object) = collected.objects.get(number) else { continue };
        let row = rows.entry(number).or_insert_with(|| row(number, object));
        *row.part(direction) = Some(part(image));
    }
    rows.into_values().collect()
}

fn row(number: usize, object: &Object) -> Row {
    Row { number, sort: object.sort, name: object.name.as_ref().into(), read: None, written: None }
}

impl Row {
    fn part(&mut self, direction: Direction) -> &mut Option<Part> {
        match direction {
            Direction::Read => &mut self.read,
            Direction::Written => &mut self.written,
        }
    }
}

/// Says on stderr what is not there, and why.
fn report(index: &[Row], collected: &Collected, by_replay: bool) {
    let parts = || index.iter().flat_map(|row| [&row.read, &row.written]).flatten();
    let missing: u64 = parts().map(|part| part.missing_bytes).sum();
    let files = parts().filter(|part| part.missing_bytes > 0).count();
    if missing > 0 {
        tell!("{} in {} are missing: zeros are in their place", bytes(missing), counted(files));
    }
    let could_replay = collected.wanted.iter().any(|wanted| wanted.summary.is_some());
    if missing > 0 && could_replay && !by_replay {
        tell!("a trace has only hashes of what was written; --replay runs the program again and takes it");
    }
    for reason in &collected.reasons {
        tell!("{reason}");
    }
}

fn counted(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// Prints what could be extracted.
fn list(recording: &Recording, family: &Family, selects: &dyn Fn(usize) -> bool, json: bool) -> Result<()> {
    let mut parts = BTreeMap::<(usize, Direction), Part>::new();
    let objects = walk(recording, family, |seen, _| {
        for moved in &seen.moved {
            if !selects(moved.object) {
                continue;
            }
            let part = parts.entry((moved.object, moved.transfer.direction)).or_default();
            let length = moved.transfer.length();
            part.bytes = part.bytes.max(moved.offset.saturating_add(length));
            for piece in &moved.transfer.pieces {
                if let Piece::Summary(..) | Piece::Unknown(_) = piece {
                    part.missing_bytes = part.missing_bytes.saturating_add(piece.length());
                }
            }
        }
        Ok(true)
    })?;
    let mut rows = BTreeMap::<usize, Row>::new();
    for ((number, direction), part) in parts {
        let Some(object) = objects.get(number) else { continue };
        *rows.entry(number).or_insert_with(|| row(number, object)).part(direction) = Some(part);
    }
    let mut out = std::io::stdout().lock();
    if json {
        for row in rows.values() {
            writeln!(out, "{}", serde_json::to_string(row).context("cannot write JSON")?)?;
        }
        return Ok(());
    }
    let mut table = table(&["NUMBER", "<SORT", "<NAME", "READ", "WRITTEN", "NOT IN TRACE"]);
    for row in rows.values() {
        let size =
            |part: &Option<Part>| part.as_ref().map_or_else(|| "-".to_owned(), |part| bytes(part.bytes));
        let missing: u64 =
            [&row.read, &row.written].into_iter().flatten().map(|part| part.missing_bytes).sum();
        let missing = if missing > 0 { bytes(missing) } else { "-".to_owned() };
        let (read, written) = (size(&row.read), size(&row.written));
        table.add_row([
            count(row.number as u64),
            row.sort.to_string(),
            text(&row.name.0),
            read,
            written,
            missing,
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    Ok(())
}
