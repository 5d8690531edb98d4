//! `imitate grep`: looking for bytes in what a program read and wrote.

use super::family::Family;
use super::objects::{Object, Objects};
use super::recording::Recording;
use super::transfer::{Direction, Piece, Transfer};
use super::walk::{Moved, Seen, walk};
use crate::arguments::Grep;
use crate::inspect::call_name;
use crate::manage::locate;
use crate::place::Place;
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use regex::bytes::RegexBuilder;
use serde::Serialize;
use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use tracer_core::event::FileRange;
use tracer_core::tell;
use tracer_core::trace::byte_string::ByteString;
use tracer_core::trace::files::{Resolved, resolve};

/// How much of what is before and after a find is shown.
const CONTEXT: usize = 24;
/// How many bytes of a file that the trace refers to are looked at in one call.
const REFERENCE_MOST: u64 = 256 << 20;

/// A find, as `--json` shows it.
#[derive(Serialize)]
struct Find {
    place: Place,
    call: String,
    direction: Direction,
    object: ByteString,
    /// Offset in the file, or in what went the same way through the stream.
    offset: u64,
    found: ByteString,
}

/// Prints the finds; gives whether there are any.
pub fn grep(options: &Grep) -> Result<bool> {
    let directory = locate(options.which.trace.as_deref())?;
    let recording = Recording::open(&directory)?;
    let family = Family::of(&recording);
    let pattern = if options.fixed { regex::escape(&options.pattern) } else { options.pattern.clone() };
    let pattern = RegexBuilder::new(&pattern).case_insensitive(options.ignore_case).unicode(false).build();
    let pattern = pattern.context("the pattern is no regular expression")?;
    let mut source = Source { directory: &directory, recording: &recording, files: HashMap::new() };
    let mut out = anstream::stdout().lock();
    let (mut finds, mut partial) = (0_u64, 0_u64);
    walk(&recording, &family, |seen, objects| {
        for moved in &seen.moved {
            let data = source.data(&moved.transfer);
            partial += u64::from(data.incomplete);
            for run in &data.runs {
                for found in pattern.find_iter(&run.bytes) {
                    finds += 1;
                    let offset = moved.offset.saturating_add(run.at + found.start() as u64);
                    let find = find(seen, objects, moved, offset, found.as_bytes());
                    if options.json {
                        let line = serde_json::to_string(&find).context("cannot write JSON")?;
                        writeln!(out, "{line}")?;
                    } else {
                        print(&find, &run.bytes, found.range(), &mut out)?;
                    }
                }
            }
        }
        Ok(true)
    })?;
    drop(out);
    if partial > 0 {
        tell!(
            "the trace has only the beginning of what {partial} calls wrote or moved; `imitate extract --replay` \
             has all of what was written"
        );
    }
    recording.warn_if_it_ends_early();
    Ok(finds > 0)
}

/// Bytes that follow each other.
struct Run {
    /// Where in the transfer they begin.
    at: u64,
    bytes: Vec<u8>,
}

struct Data {
    runs: Vec<Run>,
    incomplete: bool,
}

struct Source<'a> {
    directory: &'a Path,
    recording: &'a Recording,
    files: HashMap<u64, Option<Resolved>>,
}

impl Source<'_> {
    /// The bytes of a transfer that are known. Pieces that follow each other are one, so that what is found may be in two.
    fn data(&mut self, transfer: &Transfer) -> Data {
        let mut data = Data { runs: vec![Run { at: 0, bytes: Vec::new() }], incomplete: false };
        let mut at = 0_u64;
        for piece in &transfer.pieces {
            let read;
            let known = match piece {
                Piece::Known(bytes) | Piece::Summary(_, bytes) => *bytes,
                Piece::File(range) => {
                    read = self.read(range).unwrap_or_default();
                    &read
                }
                Piece::Unknown(_) => &[],
            };
            if let Some(run) = data.runs.last_mut() {
                run.bytes.extend(known);
            }
            at = at.saturating_add(piece.length());
            if (known.len() as u64) < piece.length() {
                data.incomplete = true;
                data.runs.push(Run { at, bytes: Vec::new() });
            }
        }
        data
    }

    fn read(&mut self, range: &FileRange) -> Option<Vec<u8>> {
        let find = || resolve(self.directory, self.recording.manifest.file(range.file).ok()?).ok();
        let file = self.files.entry(range.file).or_insert_with(find).as_ref()?;
        let length = range.length.min(REFERENCE_MOST).min(file.file.metadata().ok()?.len());
        let mut bytes = vec![0; length as usize];
        file.file.read_exact_at(&mut bytes, range.offset).ok()?;
        Some(bytes)
    }
}

fn find(seen: &Seen, objects: &Objects, moved: &Moved, offset: u64, found: &[u8]) -> Find {
    let object = objects.get(moved.object).map_or(&[][..], |object: &Object| &object.name);
    Find {
        place: Place { stream: seen.stream, event: seen.event.index },
        call: call_name(seen.event.number).into_owned(),
        direction: moved.transfer.direction,
        object: object.into(),
        offset,
        found: found.into(),
    }
}

/// A line: where it is, and the find between what is around it.
fn print(find: &Find, bytes: &[u8], found: std::ops::Range<usize>, out: &mut impl Write) -> Result<()> {
    const PLACE: Style = AnsiColor::Green.on_default();
    const FOUND: Style = AnsiColor::Red.on_default().bold();
    let shown = |range: std::ops::Range<usize>| bytes[range].escape_ascii().to_string();
    let before = found.start.saturating_sub(CONTEXT)..found.start;
    let after = found.end..bytes.len().min(found.end.saturating_add(CONTEXT));
    writeln!(
        out,
        "{PLACE}{}{PLACE:#} {} {} byte {}: {}{FOUND}{}{FOUND:#}{}",
        find.place,
        find.call,
        super::family::text(&find.object.0),
        find.offset,
        shown(before),
        shown(found),
        shown(after)
    )?;
    Ok(())
}
