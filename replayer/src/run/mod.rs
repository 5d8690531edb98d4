//! Running programs: recording, once or until it fails, replaying, and both to compare.

mod ahead;
mod attendant;
mod chaos;
mod foreground;
mod hand_overs;
mod hunt;
mod meter;
mod own_root;
mod program;
mod record;
mod replay;
mod resolvers;
mod sleepers;
mod trial;
mod unseen;
mod verify;
mod watched;

pub use hand_overs::{HandOvers, Place as HandOverPlace};
pub use hunt::{Condition, Hunted, hunt};
pub use program::{Outputs, library};
pub use record::{Recorded, Request, record};
pub use replay::{replay, replay_in_place, replay_into};
pub use trial::{Input, Trial, Tried, make as try_out, named};
pub use verify::verify;
pub use watched::{Accesses, Watched, watch, watch_until_divergence};
