//! What a trace says beyond its events: who, in which order, about what, with which data.

mod call;
mod extract;
mod family;
mod objects;
mod order;
mod recording;
mod stats;
mod table;
mod transfer;
mod walk;

pub use extract::extract;
pub use family::{Family, Image, Member, text};
pub use order::{ProcessEvents, processes};
pub use recording::Recording;
pub use stats::print_stats;
