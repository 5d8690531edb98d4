//! Running programs: recording, once or until it fails, replaying, and both to compare.

mod ahead;
mod chaos;
mod foreground;
mod hunt;
mod meter;
mod own_root;
mod program;
mod record;
mod replay;
mod unseen;
mod verify;
mod watched;

pub use hunt::{Condition, Hunted, hunt};
pub use program::library;
pub use record::{Recorded, record};
pub use replay::{replay, replay_in_place};
pub use verify::verify;
pub use watched::{Accesses, Watched, watch};
