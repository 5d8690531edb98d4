//! Rewritten code, run.

mod entry;
mod functions;
mod libc;
mod process;
mod vdso;
