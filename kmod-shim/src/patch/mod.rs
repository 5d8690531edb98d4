//! Code that is changed so that it reaches us without a trap.
//!
//! Syscall User Dispatch catches every system call, at 0.9 us each. A site that traps often is rewritten
//! here, so that it jumps to the same entry from then on, at a few nanoseconds. Everything is read from the
//! loaded object itself, and nothing is guessed: what cannot be proved sound goes on trapping.
//!
//! In the order of use:
//!
//! * [`object`] reads a loaded object's ELF headers: where its code and its unwind tables are;
//! * [`eh_frame`] finds the function that contains an address;
//! * [`decode`] tells its instructions apart, with the tables in `opcode`; `function` goes through them all;
//! * [`plan`] decides how a `syscall` instruction is rewritten, [`detour`] a function's entry;
//! * [`assemble`] moves instructions to where they run instead, and [`origins`] remembers where from;
//! * [`near_memory`] maps memory for them, `write` changes code that is in use, both by way of [`kernel`];
//! * [`rewriter`] does it all.
//!
//! It runs in the handler of a trap, in the recorded program: it calls nothing in libc, panics nowhere,
//! and allocates (the list of changes, at times a copy of a function) through Rust's global allocator, which
//! the preloaded library keeps apart from the program's.

pub mod assemble;
pub mod decode;
pub mod detour;
pub mod eh_frame;
mod function;
pub mod kernel;
pub mod near_memory;
pub mod object;
mod opcode;
pub mod origins;
pub mod plan;
pub mod reached;
mod refusal;
pub mod rewriter;

pub mod unpredictable;
mod write;

pub use plan::Others;
pub use refusal::Refusal;
pub use rewriter::Rewriter;
