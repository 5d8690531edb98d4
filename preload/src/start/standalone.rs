//! Without the tool.
pub fn launch(_mode: tracer_core::session::Mode) {}
