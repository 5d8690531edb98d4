//! Imitate's trace model.
//!
//! A *recording* is a tree of processes; each thread of it has a *stream*: the events that this thread met,
//! in its own order. The modules follow a stream's way:
//!
//! * [`event`]: what one event is, byte by byte, the same in memory and (before compression) on disk;
//! * [`ring`]: the shared-memory byte ring that carries a stream between the program and the process beside
//!   it, the *companion*: out of the program while recording (to the writer), into it in replay (from the
//!   feeder);
//! * [`session`]: the shared memory that a recording's processes and their companion agree on;
//! * [`processor`]: what a program is told of the processor's features;
//! * [`syscalls`]: every x86-64 system call as typed data: what it reads, what it writes, how it is replayed
//!   and how it is printed.
//! * [`trace`]: the directory on disk: chunks, manifest, files kept by reference;
//! * [`companion`]: the writer and the feeder;
//! * [`message`]: how these, and the tool, talk to the user.
//!
//! `event`, `processor`, `ring`, `session` and `syscalls` run inside the recorded program, between its instructions: they
//! allocate nothing and call nothing in libc (printing, which only tools do, is the marked exception).

// A message in pieces mixes with the program's own: `tell!` makes one of it.
#![warn(clippy::print_stderr)]

pub mod companion;
pub mod event;
pub mod message;
pub mod processor;
pub mod ring;
pub mod session;
pub mod syscalls;
pub mod trace;
