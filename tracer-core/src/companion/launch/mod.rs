//! Everything between "the user typed a command" and the program's first instruction.
//!
//! The same steps for both modes, so that the kernel lays the process out in the same way: the same path, the
//! same arguments, an environment block of the same size, the same stack limit, no address-space
//! randomisation. Nothing but this module knows how that layout comes about.

mod command;
pub mod disguise;
mod environment;
mod library;
mod process;
mod program;
mod replay;

pub use command::{Command, find};
pub use environment::{LIBRARY_PATH_BYTES, injected_environment, own_environment, padded_library_path};
pub use library::{NAME as LIBRARY_NAME, find as find_library};
pub use process::{Launch, Root, exec_program};
pub use program::{Refusal, check_program};
pub use replay::{RecordedStart, changed_objects, recorded_program, recorded_start};
