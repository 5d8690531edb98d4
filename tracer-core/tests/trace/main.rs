//! Tests of the trace on disk, from outside.

mod chunks;
mod directory;
mod events;
mod files;
mod manifest;
mod support;
mod transform;
