//! The process beside the program. While recording it is the *writer*: it moves the streams from their rings to
//! the trace on disk. In replay it is the *feeder*: it moves them from disk into the rings. Being a process of
//! its own, it outlives whatever happens to the program.
//!
//! * [`Opening`] makes a [`session`] and forks the companion ([`writer`], [`feeder`]);
//! * [`launch`] is everything between a command line and the program's first instruction;
//! * [`wake`] is how the two sides of a ring sleep and wake each other, and the one part of this module that
//!   also runs inside the program.
//!
//! Used by the tool, and by the library itself when it is preloaded without the tool.

mod daemon;
pub mod feeder;
pub mod futex;
pub mod launch;
pub mod limits;
mod link;
pub mod memory;
pub mod objects;
mod peers;
mod process;
pub mod session;
pub mod wake;
pub mod writer;

use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::Arc;

pub use link::{Outcome, ReplayEnd, Summary};

use crate::session::{Control, Mode, Order};
use daemon::Daemon;
use link::{FromCompanion, Link, ToCompanion};
use session::{ProgramDescriptors, Session, Settings};

/// What a companion is to do.
pub enum Role {
    /// Write a trace.
    Record(Box<writer::Recording>),
    /// Feed a trace to the program.
    Replay(feeder::Replaying),
}

/// Who hears how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever holds [`Started`] until [`Started::wait_done`].
    Launcher,
    /// Nobody waits: what the user must know goes to stderr.
    StandardError,
}

/// A companion at work.
pub struct Started {
    /// For the program. `None` them once the program has inherited them: while anyone else holds the socket,
    /// the companion believes that the program runs.
    pub program: Option<ProgramDescriptors>,
    /// The trace that is written or read.
    pub directory: PathBuf,
    /// What the session's processes share.
    pub control: Arc<memory::ControlMapping>,
    link: Link,
}

/// A session whose companion has not been started yet. The program can be started first: its loader and our library in
/// it run while the companion opens the trace, and the library waits for that ([`wake::await_trace`], or in replay its
/// first event).
pub struct Opening {
    role: Role,
    audience: Audience,
    session: Session,
}

impl Opening {
    /// Makes the session.
    ///
    /// Errors: there is no memory or descriptor for it.
    pub fn new(role: Role, audience: Audience) -> io::Result<Opening> {
        let settings = match &role {
            Role::Record(recording) => Settings {
                mode: Mode::Record,
                check: recording.check,
                order: recording.order,
                chaos: recording.chaos.map_or(0, NonZeroU64::get),
                hidden: recording.hidden(),
                watched: false,
                hand_overs: recording.hand_overs.as_deref(),
            },
            Role::Replay(replaying) => Settings {
                mode: Mode::Replay,
                check: replaying.check,
                order: Order::default(),
                chaos: 0,
                hidden: Default::default(),
                watched: replaying.watched,
                hand_overs: None,
            },
        };
        let session = Session::create(&settings)?;
        let role = match role {
            Role::Record(recording) => Role::Record(Box::new(recording.absolute()?)),
            Role::Replay(replaying) => Role::Replay(replaying.absolute()?),
        };
        Ok(Opening { role, audience, session })
    }

    /// The session's memory.
    pub fn memory(&self) -> BorrowedFd<'_> {
        self.session.memory.as_fd()
    }

    /// What the program inherits.
    pub fn program(&self) -> &ProgramDescriptors {
        &self.session.program
    }

    /// Starts the companion, and does something `meanwhile`. When this returns, the trace is open.
    ///
    /// To be called while this process has one thread: it forks.
    ///
    /// Errors: no process could be made, or the companion refused; the message says on what, and why. A program that was
    /// started already does not begin, and ends.
    pub fn start(self, meanwhile: impl FnOnce(&Control)) -> io::Result<Started> {
        let Opening { role, audience, session: Session { memory, socket, control, program } } = self;
        let (mut ours, theirs) = Link::pair()?;
        let keep = [memory.as_raw_fd(), socket.as_raw_fd(), theirs.descriptor()];
        let stderr = audience == Audience::StandardError;
        // The closure below takes the session's own mapping with it.
        let shared = memory::ControlMapping::new(memory.as_fd())?;
        let daemon = Daemon {
            name: match role {
                Role::Record(_) => c"imitate-writer",
                Role::Replay(_) => c"imitate-feeder",
            },
            keep: &keep,
            stderr,
            process: &shared.companion,
        };
        let connections = writer::Connections { memory, socket, link: theirs, control, stderr };
        daemon::spawn(&daemon, || match role {
            Role::Record(recording) => writer::run(&recording, connections),
            Role::Replay(replaying) => feeder::run(replaying, connections),
        })?;
        meanwhile(&shared);
        match ours.receive()? {
            Some(FromCompanion::Ready(directory)) => {
                Ok(Started { program: Some(program), directory, control: Arc::new(shared), link: ours })
            }
            Some(FromCompanion::Refused(reason)) => Err(io::Error::other(reason)),
            Some(FromCompanion::Done(_)) | None => {
                Err(io::Error::other("the process that keeps the trace ended at once; is memory short?"))
            }
        }
    }
}

/// Starts a companion. When this returns, the trace is open and the program can be started.
///
/// To be called while this process has one thread: it forks.
///
/// Errors: those of [`Opening::new`] and [`Opening::start`].
pub fn start(role: Role, audience: Audience) -> io::Result<Started> {
    Opening::new(role, audience)?.start(|_| ())
}

impl Started {
    /// Tells the companion the first process's wait status. Without it, a trace cannot tell which signal
    /// killed the program.
    pub fn root_ended(&mut self, wait_status: i32) -> io::Result<()> {
        self.link.send(&ToCompanion::RootEnded(wait_status))
    }

    /// Lets go of the program's descriptors (and of [`Started::root_ended`]) and blocks until the companion has done its work, or until it says
    /// that the first process has ended but others still run ([`Summary::still_running`]); it can be called
    /// again then.
    ///
    /// Errors: the companion was killed.
    pub fn wait_done(&mut self) -> io::Result<Outcome> {
        self.program = None;
        self.link.finish_sending();
        loop {
            match self.link.receive()? {
                Some(FromCompanion::Done(outcome)) => return Ok(outcome),
                Some(_) => {}
                None => {
                    return Err(io::Error::other(
                        "the process that keeps the trace was killed; the trace ends where it was then",
                    ));
                }
            }
        }
    }
}
