//! What a trace says beyond its events: who, in which order, about what, with which data.

mod audit;
mod call;
mod diff;
mod export;
mod extract;
mod family;
mod grep;
mod objects;
mod order;
mod recording;
mod stats;
mod table;
mod timeline;
mod transfer;
mod walk;

pub use audit::{Topic, audit};
pub use diff::diff;
pub use export::export;
pub use extract::extract;
pub use family::{Family, Image, Member, text};
pub use grep::grep;
pub use order::{ProcessEvents, processes};
pub use recording::Recording;
pub use stats::print_stats;
pub use timeline::timeline;
