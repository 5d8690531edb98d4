//! `manifest.json`: what was recorded, where, and how it ended.
//!
//! It is written when the recording begins, with [`Ended::Recording`], and replaced as a whole when it ends. A
//! recording whose companion was killed keeps the first version; what the `events` file holds is readable all
//! the same.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::byte_string::ByteString;
use super::directory::open_regular;
use super::error::{Context, Error, Result};
use super::files::{Kept, ReferencedFile};
use super::packed::Packed;
use crate::processor::Hidden;
use crate::session::Order;

/// The manifest format that this build writes and reads.
pub const VERSION: u32 = 1;

/// The manifest's name in a trace's directory.
pub const FILE_NAME: &str = "manifest.json";

/// The option whose value is the seed of a recording with chaos.
const CHAOS: &str = "chaos";

/// The option whose value describes the processor that programs were told of.
const PROCESSOR: &str = "cpu";

/// The option whose value says how many hand-overs of a list a recording has made, and how many others.
const HAND_OVERS: &str = "hand-overs";

/// What [`Manifest::format`] says in every version.
pub const FORMAT: &str = "imitate trace";

/// The whole of `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`FORMAT`].
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The imitate that recorded.
    pub recorder: Recorder,
    /// When the recording began, in nanoseconds since 1970 (UTC).
    pub began: u64,
    /// When it ended, in nanoseconds since 1970 (UTC); 0 while recording.
    pub finished: u64,
    /// The command line that was recorded.
    pub command: Vec<ByteString>,
    /// The directory in which it was started.
    pub directory: ByteString,
    /// The machine.
    pub host: Host,
    /// The name of an [`Order`].
    pub order: String,
    /// The options of the recording, by name: [`Manifest::chaos`].
    pub options: std::collections::BTreeMap<String, String>,
    /// One for each process image's stream, in the order in which they began.
    pub processes: Vec<Process>,
    /// Every file that was mapped executable.
    pub objects: Vec<MappedObject>,
    /// Every file of which the trace holds ranges by reference.
    pub files: Vec<ReferencedFile>,
    /// Sizes.
    pub totals: Totals,
    /// How the recording as a whole ended.
    pub ended: Ended,
    /// Messages for the reader of the trace, such as children that could not be recorded.
    pub notes: Vec<String>,
    /// What the trace has beside since it was packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packed: Option<Packed>,
}

/// The imitate that wrote a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorder {
    /// Its version, as in `imitate --version`.
    pub version: String,
    /// GNU build id of libimitate.so in hexadecimal; empty if it has none.
    pub build_id: String,
}

/// The machine that a trace was recorded on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// `uname -r`.
    pub kernel: String,
    /// `uname -m`.
    pub machine: String,
    /// The processor's model, as the kernel names it.
    pub processor: String,
    /// XXH3-64 of the processor's flags as /proc/cpuinfo lists them, in hexadecimal.
    pub processor_flags: String,
    /// Bytes of /etc/ld.so.cache, 0 without one: libraries are mapped below as many pages.
    #[serde(default)]
    pub loader_cache: u64,
}

/// A process of the recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// The stream of its first thread.
    pub stream: u32,
    /// Its id, as it saw it itself.
    pub process_id: u32,
    /// The stream that created it; `None` for the first.
    pub parent_stream: Option<u32>,
    /// Path of its executable.
    pub executable: ByteString,
    /// Its arguments.
    pub arguments: Vec<ByteString>,
    /// How it ended.
    pub ended: ProcessEnded,
    /// How many events its stream has.
    pub events: u64,
}

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProcessEnded {
    /// It exited with this status (0 to 255).
    Exited(u8),
    /// This signal killed it.
    Signalled(u8),
    /// It called exec, and what followed is another entry.
    Replaced,
    /// Its stream stops before it ended, for this reason.
    CutShort(String),
    /// Nothing of it was recorded, for this reason.
    Unrecorded(String),
}

/// A file that was mapped executable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedObject {
    /// Its path when it was mapped.
    pub path: ByteString,
    /// GNU build id in hexadecimal; empty if it has none.
    pub build_id: String,
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified: u64,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// Sizes of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Streams.
    pub streams: u64,
    /// Events of all streams.
    pub events: u64,
    /// Bytes of all streams, uncompressed.
    pub stream_bytes: u64,
    /// Bytes of the `events` file.
    pub events_file_bytes: u64,
    /// Bytes in `files/`.
    pub kept_bytes: u64,
}

/// How a recording ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// It has not; or else whoever recorded was killed.
    Recording,
    /// Every process was recorded to its end.
    Complete,
    /// Recording stopped while the program went on, for this reason.
    Early(String),
}

/// The part of a manifest that is the same in all versions.
#[derive(Deserialize)]
struct Preamble {
    format: String,
    version: u32,
}

impl Manifest {
    /// Whether this is a program whose content the trace keeps. One that was deleted before the writer came to it has
    /// another path among the files.
    pub fn keeps_program(&self, object: &MappedObject) -> bool {
        let is_it = |file: &ReferencedFile| {
            let identity = (file.identity.device, file.identity.inode);
            file.path == object.path || identity == (object.device, object.inode)
        };
        let is_kept =
            |file: &ReferencedFile| is_it(file) && matches!(file.kept, Kept::Copied(_) | Kept::Reflinked(_));
        self.processes.iter().any(|process| process.executable == object.path)
            && self.files.iter().any(is_kept)
    }

    /// Programs whose content the trace keeps, as far as each path had one content only.
    pub fn kept_programs(&self) -> impl Iterator<Item = &ReferencedFile> {
        let is_one = |file: &&ReferencedFile| {
            let is_program = self.processes.iter().any(|process| process.executable == file.path);
            let is_other = |other: &ReferencedFile| other.path == file.path && other.hash != file.hash;
            is_program && matches!(file.kept, Kept::Copied(_)) && !self.files.iter().any(is_other)
        };
        self.files.iter().filter(is_one)
    }

    /// The file that events refer to by `id`.
    pub fn file(&self, id: u64) -> Result<&ReferencedFile> {
        let known = self.files.iter().find(|file| file.id == id);
        known.ok_or_else(|| Error::ReferencedFile {
            id,
            path: "a file".into(),
            what: "the trace's manifest does not name it; the recording was probably cut short".into(),
        })
    }

    /// The manifest of a recording that begins now, on this machine's clock, with nothing in it yet.
    pub fn begin(
        recorder: Recorder,
        command: Vec<ByteString>,
        directory: ByteString,
        host: Host,
        order: &str,
    ) -> Manifest {
        Manifest {
            format: FORMAT.into(),
            version: VERSION,
            recorder,
            began: now(),
            finished: 0,
            command,
            directory,
            host,
            order: order.into(),
            options: Default::default(),
            processes: Vec::new(),
            objects: Vec::new(),
            files: Vec::new(),
            totals: Totals::default(),
            ended: Ended::Recording,
            notes: Vec::new(),
            packed: None,
        }
    }

    /// Notes how the recording ended, and that it ended now. [`Manifest::store`] makes it last.
    pub fn end(&mut self, ended: Ended) {
        self.finished = now();
        self.ended = ended;
    }

    /// How the interleaving of threads is made repeatable; serial if no version that can be replayed wrote what is there.
    pub fn order(&self) -> Order {
        Order::from_name(&self.order).unwrap_or_default()
    }

    /// The seed of the decisions that provoked failures (see [`Control::chaos`](crate::session::Control::chaos)), if
    /// the recording had such.
    pub fn chaos(&self) -> Option<u64> {
        self.options.get(CHAOS)?.parse().ok()
    }

    /// Notes the seed for [`Manifest::chaos`].
    pub fn set_chaos(&mut self, seed: Option<NonZeroU64>) {
        if let Some(seed) = seed {
            self.options.insert(CHAOS.into(), seed.to_string());
        }
    }

    /// How many hand-overs of a list the recording has made, if there was a list, and how many others, because a thread kept
    /// others waiting for too long.
    pub fn hand_overs(&self) -> Option<[u32; 2]> {
        let (made, others) = self.options.get(HAND_OVERS)?.split_once('+')?;
        Some([made.parse().ok()?, others.parse().ok()?])
    }

    /// Notes them for [`Manifest::hand_overs`].
    pub fn set_hand_overs(&mut self, made: u32, others: u32) {
        self.options.insert(HAND_OVERS.into(), format!("{made}+{others}"));
    }

    /// What its programs were not told of their processor.
    ///
    /// Errors: it is a description that this build does not understand.
    pub fn hidden(&self) -> Result<Hidden> {
        let Some(text) = self.options.get(PROCESSOR) else { return Ok(Hidden::default()) };
        let refuse = |unknown| {
            Error::refused(
                Path::new(FILE_NAME),
                format!("it was recorded for a processor that is not known: {unknown}"),
            )
        };
        text.parse().map_err(refuse)
    }

    /// Notes the description of a processor for [`Manifest::hidden`].
    pub fn set_processor(&mut self, text: &str) {
        self.options.insert(PROCESSOR.into(), text.into());
    }

    /// What [`Manifest::set_processor`] has noted.
    pub fn processor(&self) -> Option<&str> {
        self.options.get(PROCESSOR).map(String::as_str)
    }

    /// Reads the manifest of the trace in `directory`. Errors: it cannot be read, is no manifest, or is of
    /// another version.
    pub fn load(directory: &Path) -> Result<Manifest> {
        let path = directory.join(FILE_NAME);
        let mut bytes = Vec::new();
        open_regular(&path)?.0.read_to_end(&mut bytes).context("read", &path)?;
        Manifest::parse(&bytes, &path)
    }

    /// The manifest that `bytes`, the contents of `path`, hold.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Manifest> {
        let malformed =
            |error: serde_json::Error| Error::malformed(path, place(bytes, &error), error.to_string());
        let preamble: Preamble = serde_json::from_slice(bytes).map_err(malformed)?;
        if preamble.format != FORMAT {
            let what = format!("expected the format {FORMAT:?}, found {:?}", preamble.format);
            return Err(Error::malformed(path, 0, what));
        }
        if preamble.version != VERSION {
            return Err(Error::Version {
                path: path.to_owned(),
                found: preamble.version,
                supported: VERSION,
            });
        }
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// Writes the manifest of the trace in `directory`, replacing an older one as a whole: a reader sees one or
    /// the other, whatever happens meanwhile.
    pub fn store(&self, directory: &Path) -> Result<()> {
        let path = directory.join(FILE_NAME);
        let temporary = directory.join(TEMPORARY_NAME);
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| {
            Error::refused(&path, format!("the manifest cannot be written as JSON: {error}"))
        })?;
        bytes.push(b'\n');
        let write = || {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&temporary)?
                .write_all(&bytes)?;
            fs::rename(&temporary, &path)
        };
        write().context("write", &path)
    }
}

/// The manifest's name until it is complete. Only the recorder writes it, under the trace's lock.
pub(super) const TEMPORARY_NAME: &str = "manifest.json.new";

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// The byte offset that a JSON error's line and column mean.
fn place(bytes: &[u8], error: &serde_json::Error) -> u64 {
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + error.column()) as u64
}
