//! libimitate.so: preloaded into a program, it records the program's execution, or replays a recording.
//!
//! How a call flows:
//!
//! 1. **entry**: a rewritten `syscall` jumps to the hook stack, any other raises SIGSYS
//!    ([`kmod_shim::arch`], [`signals::handler`]); both end in [`calls::dispatch`]. The vDSO's time functions
//!    come to [`clock`], trapped instructions to [`instruction`];
//! 2. **classify**: [`tracer_core::syscalls`] describes the call, [`calls`] has code for what is special;
//! 3. **log or emulate**: [`log`] writes events to the ring, [`playback`] takes them from it, [`check`] adds
//!    and verifies state hashes, and [`divergence`] is where a replay ends that is not identical; [`debugger`] is where it stands still;
//! 4. **return**: [`signals::deliver`] runs handlers that are due, then the program continues.
//!
//! [`start`] is the constructor that sets all this up. The code runs between the program's instructions, so it
//! calls nothing in libc and has its own memory ([`arena`], [`symbols`]), stacks ([`thread`]) and system calls
//! ([`kernel`]).

#![allow(
    rustdoc::private_intra_doc_links,
    reason = "a cdylib has no public items; its readers are its developers"
)]

extern crate alloc;

pub mod allocator;
mod arena;
mod calls;
mod check;
mod clock;
mod debugger;
mod divergence;
mod files;
mod instruction;
mod kernel;
mod log;
mod order;
mod output;
mod playback;
mod process;
mod processor;
mod registers;
mod signals;
mod sites;
mod start;
mod stop;
mod symbols;
mod thread;
mod time_stamps;
mod watch;
