//! The tables, a structure each: a field is a column. `docs/EXPORT.md` describes them; whoever changes them raises
//! [`VERSION`].

use super::columns::table;
use super::texts::Text;

/// The version of the tables, in `traces`.
pub const VERSION: u32 = 2;

table! {
    /// A recording.
    pub struct Trace {
        pub schema_version: u32,
        pub trace: String,
        pub command: String,
        pub directory: String,
        pub kernel: String,
        pub machine: String,
        pub processor: String,
        pub recorder: String,
        pub order: String,
        pub chaos_seed: Option<u64>,
        pub began_ns: u64,
        pub finished_ns: Option<u64>,
        pub complete: bool,
        pub ended_early: Option<String>,
        pub events: u64,
    }
}

table! {
    /// A thread, or the first thread of a process.
    pub struct Stream {
        pub trace: String,
        pub stream: u32,
        pub leader: u32,
        pub creator: Option<u32>,
        pub process: u32,
        pub thread: u32,
        pub is_thread: bool,
        pub name: String,
        pub executable: Option<String>,
        pub arguments: Option<String>,
        pub ended: String,
        pub exit_status: Option<i32>,
        pub signal: Option<String>,
        pub events: u64,
        pub turns: u64,
    }
}

table! {
    /// An event of any kind.
    pub struct Event {
        pub trace: Text,
        pub stream: u32,
        pub event: u64,
        pub position: u64,
        pub kind: Text,
        pub name: Text,
    }
}

table! {
    /// A system call.
    pub struct Syscall {
        pub trace: Text,
        pub stream: u32,
        pub event: u64,
        pub position: u64,
        pub name: Text,
        pub result: Option<i64>,
        pub error: Option<Text>,
        pub object_sort: Option<Text>,
        pub object: Option<Text>,
        pub read_bytes: u64,
        pub written_bytes: u64,
        pub slept_ns: Option<u64>,
        pub text: Text,
    }
}

table! {
    /// An operation on a synchronisation object, in sync order.
    pub struct Operation {
        pub trace: Text,
        pub stream: u32,
        pub event: u64,
        pub position: u64,
        pub name: Text,
        pub address: u64,
        pub place: u64,
        pub after_stream: Option<u32>,
        pub result: i64,
        pub refused: bool,
        pub slept_ns: u64,
    }
}

table! {
    /// A lock, or a place where locks are taken.
    pub struct Lock {
        pub trace: Text,
        pub process: u32,
        pub kind: Text,
        pub address: Option<u64>,
        pub name: Text,
        pub threads: u32,
        pub taken: u64,
        pub waited: u64,
        pub refused: u64,
        pub wait_ns: u64,
        pub longest_wait_ns: u64,
        pub hold_ns: u64,
        pub longest_hold_ns: u64,
    }
}

table! {
    /// The right to run went from one thread of a process to another.
    pub struct HandOver {
        pub trace: Text,
        pub leader: u32,
        pub from_stream: u32,
        pub from_event: u64,
        pub to_stream: u32,
        pub to_event: u64,
        pub position: u64,
    }
}
