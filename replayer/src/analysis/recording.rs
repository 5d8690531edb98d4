//! An open trace.

use anyhow::Result;
use std::path::Path;
use tracer_core::tell;
use tracer_core::trace::chunk::{Index, StreamReader};
use tracer_core::trace::directory::events_path;
use tracer_core::trace::manifest::Manifest;
use tracer_core::trace::reader::Events;

/// A trace's manifest and streams.
pub struct Recording {
    /// What was recorded.
    pub manifest: Manifest,
    index: Index,
}

impl Recording {
    /// Opens the trace in `directory`.
    pub fn open(directory: &Path) -> Result<Recording> {
        let manifest = Manifest::load(directory)?;
        let index = Index::open(&events_path(directory))?;
        Ok(Recording { manifest, index })
    }

    /// The numbers of its streams, rising.
    pub fn streams(&self) -> impl Iterator<Item = u32> + '_ {
        self.index.streams().map(|summary| summary.stream)
    }

    /// Bytes of all streams, uncompressed.
    pub fn stream_bytes(&self) -> u64 {
        self.index.streams().map(|summary| summary.bytes).sum()
    }

    /// The bytes of `stream`; `None` if the trace has no such stream.
    pub fn bytes(&self, stream: u32) -> Option<StreamReader> {
        self.index.stream(stream)
    }

    /// Why the trace does not reach to the end of the program, `None` if it does.
    pub fn ends_early(&self) -> Option<&str> {
        self.index.ends_early()
    }

    /// The events of `stream`; `None` if the trace has no such stream.
    pub fn events(&self, stream: u32) -> Option<Events<StreamReader>> {
        Some(Events::new(stream, self.index.stream(stream)?))
    }

    /// Tells on stderr if the trace does not reach to the end of the program.
    pub fn warn_if_it_ends_early(&self) {
        if let Some(reason) = self.index.ends_early() {
            tell!("this trace ends early: {reason}");
        }
    }
}
