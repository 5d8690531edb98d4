//! Written data that the trace does not have, from a replay.
//!
//! A trace has only the hash of what a program wrote, and its beginning; but a replay has the data in memory, verifies them
//! against the hash, and writes those again that went to the recording's stdout. So a copy of the trace is replayed in which
//! the calls in question are those that went to stdout.

use super::super::recording::Recording;
use super::collect::Wanted;
use crate::run::{self, Outputs};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use tempfile::TempDir;
use tracer_core::event::{Header, InputSummary, ItemHeader, Kind, Tag, flags};
use tracer_core::trace::chunk::{StreamReader, Writer};
use tracer_core::trace::directory::{EVENTS, FILES, events_path};
use tracer_core::trace::manifest;
use xxhash_rust::xxh3::xxh3_64;

/// Calls whose data replay can write: those whose second argument is a buffer or a list of buffers.
pub const CALLS: [i64; 7] = [
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_sendto,
    libc::SYS_writev,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_vmsplice,
];

/// How many pieces of a process may be passed over to find one: those that are the same as another process's.
const LOOK_AHEAD: usize = 256;

/// What a replay wrote.
pub struct Replayed {
    output: File,
    /// Where in it the piece with this length and hash is.
    places: HashMap<(u64, u64), u64>,
    /// Why the replay was not what was recorded, so that not all that was written may be here.
    pub failure: Option<String>,
    /// What else was said in it.
    pub complaint: Option<String>,
}

impl Replayed {
    /// The output and where in it this piece is.
    pub fn find(&self, summary: InputSummary) -> Option<(&File, u64)> {
        let place = self.places.get(&(summary.length, summary.hash))?;
        Some((&self.output, *place))
    }
}

/// Replays the trace in `directory` and collects the pieces in `wanted`, which are in the order of their processes.
pub fn replay(recording: &Recording, directory: &Path, wanted: &[Wanted]) -> Result<Replayed> {
    let place = TempDir::new().context("cannot make a temporary directory")?;
    let trace = place.path().join("trace");
    redirect(recording, directory, &trace, wanted)?;
    let path = place.path().join("output");
    let open = |path: &Path| OpenOptions::new().read(true).append(true).create_new(true).open(path);
    let output = open(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let complaints = place.path().join("complaints");
    let stderr = open(&complaints).with_context(|| format!("cannot create {}", complaints.display()))?;
    let stdout = output.try_clone().context("cannot share the output's descriptor")?;
    // What the trace itself has is of use even if it cannot be replayed here.
    let failure = match run::replay_into(&trace, &Outputs { stdout, stderr }) {
        Ok(failure) => failure,
        Err(error) => Some(format!("{error:#}")),
    };
    let said = std::fs::read(&complaints).context("cannot read what was said in the replay")?;
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let places = separate(&output, wanted)?;
    Ok(Replayed { output, places, failure, complaint: (!said.is_empty()).then_some(said) })
}

/// Makes a copy of a trace in which no call but those in `wanted` writes to the recording's outputs.
fn redirect(recording: &Recording, directory: &Path, copy: &Path, wanted: &[Wanted]) -> Result<()> {
    super::collect::make_directory(copy)?;
    let files = std::path::absolute(directory)?.join(FILES);
    symlink(&files, copy.join(FILES)).context("cannot make a link to the trace's files")?;
    let kept = directory.join(manifest::FILE_NAME);
    std::fs::copy(&kept, copy.join(manifest::FILE_NAME))
        .with_context(|| format!("cannot copy {}", kept.display()))?;
    let wanted: HashSet<(u32, u64)> =
        wanted.iter().map(|wanted| (wanted.place.stream, wanted.place.event)).collect();
    let mut writer = Writer::create(&events_path(copy))?;
    writer.set_level(1)?;
    for stream in recording.streams() {
        let Some(mut source) = recording.bytes(stream) else { continue };
        let mut event = Vec::new();
        let mut batch = Vec::new();
        let mut index = 0;
        while next(&mut source, &mut event)? {
            if event[0] == Kind::Call as u8 {
                redirect_call(&mut event, wanted.contains(&(stream, index)));
            }
            batch.extend_from_slice(&event);
            if batch.len() >= 1 << 20 {
                writer.append(stream, &batch, false)?;
                batch.clear();
            }
            index += 1;
        }
        writer.append(stream, &batch, source.is_complete())?;
    }
    match recording.ends_early() {
        Some(_) => Ok(()),
        None => writer.finish().with_context(|| format!("cannot finish {}", copy.join(EVENTS).display())),
    }
}

/// Makes the bytes of a call's event say that it wrote to stdout, or to none of the outputs. Without a ticket it waits for no
/// other's output, which may not come.
fn redirect_call(event: &mut Vec<u8>, to_stdout: bool) {
    event[1] &= !(flags::STDOUT | flags::STDERR);
    if to_stdout {
        event[1] |= flags::STDOUT;
    }
    let mut at = Header::SIZE + 8 + 8 * usize::from(event[1] & flags::ARGUMENTS);
    while let Some(item) =
        event.get(at..).and_then(<[u8]>::first_chunk).map(|bytes| ItemHeader::from_bytes(*bytes))
    {
        let end = at.saturating_add(item.stored_size());
        if item.tag == Tag::Ticket as u8 && end <= event.len() {
            event.drain(at..end);
        } else {
            at = end;
        }
    }
    let length = (event.len() - Header::SIZE) as u32;
    event[4..8].copy_from_slice(&length.to_le_bytes());
}

/// Reads the next event's bytes; false if there is no whole one.
fn next(source: &mut StreamReader, event: &mut Vec<u8>) -> Result<bool> {
    event.clear();
    let mut read = |event: &mut Vec<u8>, length: usize| {
        let found = source.take(length as u64).read_to_end(event).context("cannot read the trace")?;
        anyhow::Ok(found == length)
    };
    if !read(event, Header::SIZE)? {
        return Ok(false);
    }
    let header = event.first_chunk().map(|bytes| Header::from_bytes(*bytes));
    read(event, header.map_or(0, |header| header.length as usize))
}

/// Finds the pieces in what the replay wrote. Each process has written its own in order, but nobody says whose is next: the
/// hashes do.
fn separate(output: &File, wanted: &[Wanted]) -> Result<HashMap<(u64, u64), u64>> {
    let mut processes = BTreeMap::<u32, VecDeque<(u64, u64)>>::new();
    for Wanted { summary, leader, .. } in wanted {
        let pieces = processes.entry(*leader).or_default();
        pieces.extend(summary.map(|summary| (summary.length, summary.hash)));
    }
    let mut places = HashMap::new();
    let mut passed = HashSet::new();
    let length = output.metadata().context("cannot look at the replay's output")?.len();
    let mut at = 0;
    let mut buffer = Vec::new();
    while at < length {
        // Whether the piece is what comes next.
        let mut is_next = |piece: &(u64, u64)| -> bool {
            if piece.0 > length - at {
                return false;
            }
            buffer.resize(piece.0 as usize, 0);
            output.read_exact_at(&mut buffer, at).is_ok() && xxh3_64(&buffer) == piece.1
        };
        let first =
            processes.values_mut().find_map(|pieces| match pieces.front().is_some_and(&mut is_next) {
                true => pieces.pop_front(),
                false => None,
            });
        let found = first.or_else(|| passed.iter().find(|piece| is_next(piece)).copied()).or_else(|| {
            processes.values_mut().find_map(|pieces| {
                let ahead = pieces.iter().take(LOOK_AHEAD).position(&mut is_next)?;
                passed.extend(pieces.drain(..ahead));
                pieces.pop_front()
            })
        });
        let Some(piece) = found else { break };
        places.entry(piece).or_insert(at);
        at += piece.0;
    }
    Ok(places)
}
