//! The companion with real processes: writer, feeder, and programs that write and read events.

mod isolation;
mod launch;
mod producer;
mod record;
mod replay;
