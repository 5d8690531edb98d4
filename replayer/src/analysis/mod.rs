//! What a trace says beyond its events: who, in which order, about what, with which data.

mod audit;
mod bisect;
mod call;
mod deadlocks;
mod diff;
mod export;
mod extract;
mod family;
mod findings;
mod grep;
mod locks;
mod objects;
mod order;
mod races;
mod recording;
mod stats;
mod table;
mod timeline;
mod transfer;
mod walk;
mod watched;

pub use audit::{Topic, audit};
pub use bisect::{Bisected, bisect};
pub use deadlocks::deadlocks;
pub use diff::diff;
pub use export::export;
pub use extract::extract;
pub use family::{Family, Image, Member, text};
pub use grep::grep;
pub use locks::locks;
pub use order::{ProcessEvents, processes};
pub use races::races;
pub use recording::Recording;
pub use stats::print_stats;
pub use timeline::timeline;
