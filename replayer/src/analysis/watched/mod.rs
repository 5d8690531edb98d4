//! What a watched replay tells of locks and their like, made sense of.

mod images;
mod model;
mod observer;
mod stacks;

pub use images::{Code, Images, Space};
pub use model::run;
pub use observer::{Hold, How, LockId, Observer, Past, Seen, Sort, Taking, Waiting, is_ordered};
pub use stacks::Captured;

use super::family::Family;
use super::recording::Recording;
use crate::run::{Accesses, Watched, watch};
use anyhow::Result;
use std::path::Path;
use tracer_core::tell;

/// A trace and what came of its replay.
pub struct Told {
    /// The trace.
    pub recording: Recording,
    /// Its processes and threads.
    pub family: Family,
    /// Its files.
    pub images: Images,
    /// What the replay told.
    pub watched: Watched,
}

/// Replays the trace in `directory` and says on stderr what is missing in what it told.
pub fn tell(directory: &Path) -> Result<Told> {
    let recording = Recording::open(directory)?;
    let family = Family::of(&recording);
    let images = Images::of(directory, &recording, &family)?;
    let watched = watch(directory, Accesses::Untold)?;
    watched.say_how_it_ends();
    if watched.is_cut {
        tell!("there are more calls than can be looked at; what comes later is not seen");
    }
    Ok(Told { recording, family, images, watched })
}
