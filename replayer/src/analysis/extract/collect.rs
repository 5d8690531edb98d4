//! Putting together what was read from and written to objects.

use super::super::family::Family;
use super::super::objects::{Change, Object, Objects};
use super::super::recording::Recording;
use super::super::transfer::{Direction, Piece};
use super::super::walk::{Moved, Seen, walk};
use super::image::Image;
use super::replayed::CALLS;
use crate::inspect::call_name;
use crate::place::Place;
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use tracer_core::event::InputSummary;
use tracer_core::trace::files::{Resolved, resolve};

/// What the data of an object are put into: the object and which way they went.
pub type Key = (usize, Direction);

/// A piece that the trace does not have.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// Its length and hash, if the trace has those and a replay would have its bytes.
    pub summary: Option<InputSummary>,
    /// The first stream of the process that wrote it.
    pub leader: u32,
    /// Stream and event of the call.
    pub place: Place,
}

/// Everything that was asked for.
pub struct Collected {
    /// All objects of the trace.
    pub objects: Objects,
    /// The files.
    pub images: BTreeMap<Key, Image>,
    /// Pieces that are missing.
    pub wanted: Vec<Wanted>,
    /// Why some are, once each.
    pub reasons: BTreeSet<String>,
    /// Why a replay, which has some of them, was not what was recorded.
    pub failure: Option<String>,
}

/// What to collect.
pub struct Request<'a> {
    /// Where the trace is.
    pub trace: &'a Path,
    /// Where the files are made.
    pub target: &'a Path,
    /// The last event that counts.
    pub until: Option<Place>,
    /// Which objects.
    pub selects: &'a dyn Fn(usize) -> bool,
    /// Which ways.
    pub directions: &'a [Direction],
}

/// Collects what the events tell.
pub fn collect(recording: &Recording, family: &Family, request: &Request) -> Result<Collected> {
    let mut collector = Collector {
        recording,
        request,
        images: BTreeMap::new(),
        wanted: Vec::new(),
        reasons: BTreeSet::new(),
        files: HashMap::new(),
    };
    let mut reached = request.until.is_none();
    let objects = walk(recording, family, |seen, _| {
        collector.take(family, seen)?;
        reached |= request.until == Some(Place { stream: seen.stream, event: seen.event.index });
        Ok(request.until.is_none() || !reached)
    })?;
    if let Some(until) = request.until {
        ensure!(reached, "{} has no event {until}", request.trace.display());
    }
    let Collector { mut images, wanted, reasons, .. } = collector;
    // By the names that they have at the end.
    for (key, image) in &mut images {
        image.rename(request.target.join(file_name(*key, objects.get(key.0))))?;
    }
    Ok(Collected { objects, images, wanted, reasons, failure: None })
}

struct Collector<'a> {
    recording: &'a Recording,
    request: &'a Request<'a>,
    images: BTreeMap<Key, Image>,
    wanted: Vec<Wanted>,
    reasons: BTreeSet<String>,
    /// Files that the trace refers to; `None` for what is not there.
    files: HashMap<u64, Option<Resolved>>,
}

impl Collector<'_> {
    fn take(&mut self, family: &Family, seen: &Seen) -> Result<()> {
        for moved in &seen.moved {
            let direction = moved.transfer.direction;
            if self.request.directions.contains(&direction) && (self.request.selects)(moved.object) {
                self.add(family, seen, moved)?;
            }
        }
        if let Some(Change::Resized(object, size)) = seen.change
            && let Some(image) = self.images.get_mut(&(object, Direction::Written))
        {
            image.resize(size)?;
        }
        Ok(())
    }

    fn add(&mut self, family: &Family, seen: &Seen, moved: &Moved) -> Result<()> {
        let key = (moved.object, moved.transfer.direction);
        if !self.images.contains_key(&key) {
            self.images.insert(key, Image::create(self.request.target.join(file_name(key, None)))?);
        }
        let mut at = moved.offset;
        for piece in &moved.transfer.pieces {
            let length = piece.length();
            if let Piece::File(range) = piece {
                self.find(range.file);
            }
            let Some(image) = self.images.get_mut(&key) else { continue };
            let resolved = match piece {
                Piece::File(range) => self.files.get(&range.file).and_then(Option::as_ref),
                _ => None,
            };
            match (piece, resolved) {
                (Piece::Known(bytes), _) => image.write(at, bytes)?,
                (Piece::File(range), Some(resolved)) => {
                    image.copy(at, &resolved.file, range.offset, length)?
                }
                _ => {
                    image.miss(at, length, self.wanted.len())?;
                    let mut summary = None;
                    let number = seen.call.as_ref().map_or(0, |call| call.number);
                    if let Piece::Summary(known, prefix) = piece {
                        image.write(at, prefix)?;
                        summary = CALLS.contains(&number).then_some(*known);
                    }
                    if summary.is_none() && !matches!(piece, Piece::File(_)) {
                        let name = call_name(number as u16);
                        self.reasons
                            .insert(format!("what {name} moved is not in the trace, nor has a replay it"));
                    }
                    let place = Place { stream: seen.stream, event: seen.event.index };
                    self.wanted.push(Wanted { summary, leader: family.leader(seen.stream), place });
                }
            }
            at = at.saturating_add(length);
        }
        Ok(())
    }

    /// Finds a file that the trace refers to.
    fn find(&mut self, id: u64) {
        if self.files.contains_key(&id) {
            return;
        }
        let found = self.recording.manifest.file(id).and_then(|file| resolve(self.request.trace, file));
        let found = found.map_err(|error| self.reasons.insert(error.to_string()));
        self.files.insert(id, found.ok());
    }
}

/// `7.read.passwd`: whatever the object is called, this is a file in the target directory.
fn file_name((number, direction): Key, object: Option<&Object>) -> String {
    let way = match direction {
        Direction::Read => "read",
        Direction::Written => "written",
    };
    let name = object.map_or(&[][..], |object| &object.name);
    let last = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let plain =
        |byte: &u8| if byte.is_ascii_alphanumeric() || b"._-".contains(byte) { *byte as char } else { '_' };
    let name: String = last.iter().take(64).map(plain).collect();
    format!("{number}.{way}.{name}")
}

/// Makes a directory for its owner only.
pub fn make_directory(path: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().mode(0o700).create(path);
    made.with_context(|| format!("cannot make {}, which must not exist", path.display()))
}
