//! What the launcher and the companion tell each other: JSON messages, each after its length in 4 bytes, over
//! a stream socket.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Longest message; more is a mistake.
const MAXIMUM_MESSAGE: u32 = 16 << 20;

/// From the companion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum FromCompanion {
    /// The trace, in this directory, is open; the program may start.
    Ready(PathBuf),
    /// It cannot do its work, for this reason. It has ended.
    Refused(String),
    /// See [`Outcome`].
    Done(Outcome),
}

/// From the launcher.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum ToCompanion {
    /// The first process has ended with this wait status.
    RootEnded(i32),
}

/// How a companion's work ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A recording was made.
    Recorded(Summary),
    /// A replay ended.
    Replayed(ReplayEnd),
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The trace.
    pub directory: PathBuf,
    /// The first process has ended, but others of the recording still run: the trace is not complete yet, and
    /// the figures are those so far.
    pub still_running: bool,
    /// The first process's wait status, if the launcher told it.
    pub root_status: Option<i32>,
    /// Why recording stopped before the program did, if it did.
    pub ends_early: Option<String>,
    /// Events in all streams.
    pub events: u64,
    /// Bytes in all streams, before compression.
    pub bytes: u64,
    /// Bytes that the recorded calls returned in the program's memory.
    pub bytes_returned: u64,
    /// Streams: one for each thread there was.
    pub streams: u32,
    /// What the user should know about the trace.
    pub warnings: Vec<String>,
}

/// How a replay ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReplayEnd {
    /// All processes have ended, each at the end of what was recorded of it or before.
    Finished,
    /// The recording ends in mid-program; all of it was replayed. Says how the recording ended.
    EndsEarly(String),
    /// The replay asked for something else than what was recorded; the report.
    Diverged(String),
    /// The trace could not be read to its end, or a file that it refers to is not what it was.
    Failed(String),
}

/// One end of the connection.
pub(super) struct Link(UnixStream);

impl Link {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Link, Link)> {
        // std's sockets are closed on exec.
        let (one, other) = UnixStream::pair()?;
        Ok((Link(one), Link(other)))
    }

    pub(super) fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut bytes = vec![0; 4];
        serde_json::to_writer(&mut bytes, message)?;
        let length = bytes.len() as u32 - 4;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.0.write_all(&bytes)
    }

    /// Nothing more will be sent.
    pub(super) fn finish_sending(&mut self) {
        // Fails only if the other end is closed already.
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// The next message; `None` when the other end is closed.
    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut length = [0; 4];
        match self.0.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        }
        let length = u32::from_le_bytes(length);
        if length > MAXIMUM_MESSAGE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a message of {length} bytes")));
        }
        let mut bytes = vec![0; length as usize];
        self.0.read_exact(&mut bytes)?;
        Ok(Some(serde_json::from_slice(&bytes)?))
    }

    /// A second handle of this end.
    pub(super) fn try_clone(&self) -> io::Result<Link> {
        Ok(Link(self.0.try_clone()?))
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
