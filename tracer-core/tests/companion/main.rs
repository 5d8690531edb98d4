//! The companion with real processes: writer, feeder, and programs that write and read events.

mod harm;
mod isolation;
mod launch;
mod producer;
mod record;
mod replay;
