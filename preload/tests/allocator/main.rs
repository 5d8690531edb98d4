//! The allocator by itself, in memory of its own. The library cannot be linked to a test (it brings its own `malloc` and
//! `memcpy`), so the module is compiled into this one.

#[path = "../../src/allocator/mod.rs"]
mod allocator;

mod edges;
mod forks;
mod host;
mod model;
mod order;
