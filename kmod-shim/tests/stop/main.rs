//! Stopping at an arbitrary instruction: where, and how its passages are watched.

mod places;
mod trampolines;
