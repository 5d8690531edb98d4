//! Stopping a thread at an instruction of the program, and finding the same moment again.
//!
//! There are no counters that would tell how far a thread has run. A moment is known by its address and by the
//! state of the program there: two moments with equal registers and equal memory have the same future, so they
//! are the same moment. Recording chooses an address that the thread will pass soon ([`place`]) and stops it
//! there. Replay makes every passage of that address go through a [`trampoline`], which compares a few words of
//! the state, in a few nanoseconds, and traps when they are what was recorded; then all of it is compared.

pub mod place;
pub mod trampoline;
