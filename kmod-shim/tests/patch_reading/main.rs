//! What is read from code and unwind tables, and planned; nothing is changed.

mod loaded;
mod objects;
mod places;
mod properties;
mod refusals;
