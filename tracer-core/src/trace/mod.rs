//! The trace on disk: a directory, described byte by byte in `docs/TRACE-FORMAT.md`.
//!
//! | entry | module |
//! | --- | --- |
//! | `events`: the chunks of all streams, in the order they were written | [`chunk`], [`transform`] |
//! | `manifest.json`: what was recorded, where, and how it ended | [`manifest`] |
//! | `files/<id>`: contents of files that the program read, where a reference would not last | [`files`] |
//! | `lock`: held for as long as the trace is being recorded | [`directory`] |
//!
//! [`reader`] turns a stream's bytes into typed events, and [`memory`] answers, from one event, what the
//! program's memory held.
//!
//! A reader trusts nothing: a truncated trace is read up to where it ends and says so; any other damage is an
//! [`Error`] that names the file, the place and what was found there.

pub mod byte_string;
pub mod chunk;
pub mod directory;
mod error;
pub mod files;
pub mod manifest;
pub mod memory;
pub mod packed;
pub mod reader;
pub mod transform;

pub use error::{Error, Result};
