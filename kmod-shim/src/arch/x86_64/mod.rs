//! x86-64: kernel entry, signal frames, trapped instructions.

pub mod entry;
pub mod extended_state;
pub mod frame;
pub mod lazy_binding;
pub mod raw;
pub mod signal_frame;
pub mod trap;
pub mod user_memory;
