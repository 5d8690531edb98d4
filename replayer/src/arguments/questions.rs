//! What the commands take that ask a trace for something.

use super::Which;
use crate::analysis::Topic;
use crate::place::Place;
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;

/// `imitate dump`
#[derive(Args)]
pub struct Dump {
    #[command(flatten)]
    pub which: Which,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
    /// Only this stream (0 is the first process's first thread)
    #[arg(long, value_name = "N")]
    pub stream: Option<u32>,
    /// Print STREAM:EVENT before each event, for `replay --gdb` and `extract --until`
    #[arg(short, long, conflicts_with = "json")]
    pub places: bool,
    /// Interleave the threads of each process in the order in which they ran, instead of one after the other
    #[arg(long, conflicts_with = "stream")]
    pub interleave: bool,
}

/// What `imitate stats` sums up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// System call, or other kind of event
    Call,
    /// Thread
    Thread,
    /// File, socket, pipe or other object that calls were about
    Object,
}

/// What `imitate stats` prints first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SortBy {
    /// What there is most of
    Count,
    /// What slept longest
    Slept,
}

/// `imitate stats`
#[derive(Args)]
pub struct Stats {
    #[command(flatten)]
    pub which: Which,
    /// What to sum up by; JSON has all of them
    #[arg(long, value_enum, default_value_t = By::Call)]
    pub by: By,
    /// What to print first [default: what takes most of the trace; of objects, what moved most data]
    #[arg(long, value_enum)]
    pub sort: Option<SortBy>,
    /// Print only the first N rows
    #[arg(short = 'n', long, value_name = "N")]
    pub top: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `imitate extract`
#[derive(Args)]
pub struct Extract {
    #[command(flatten)]
    pub which: Which,
    /// Put them into this directory, which must not exist, with an index.json [default: only list what there is]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Write the one that is selected to stdout
    #[arg(long, conflicts_with = "output")]
    pub stdout: bool,
    /// Only those with this number, or with this in their name
    #[arg(short, long, value_name = "WHAT")]
    pub select: Vec<String>,
    /// Only what the program read
    #[arg(long, conflicts_with = "written")]
    pub read: bool,
    /// Only what the program wrote
    #[arg(long)]
    pub written: bool,
    /// As of this event, which is the last that counts
    #[arg(long, value_name = "STREAM:EVENT")]
    pub until: Option<Place>,
    /// Replay the program to get what it wrote: of that a trace has only hashes and the first 32 bytes of each call
    #[arg(long)]
    pub replay: bool,
    /// List as one JSON object a line
    #[arg(long, conflicts_with_all = ["output", "stdout"])]
    pub json: bool,
}

/// `imitate audit`
#[derive(Args)]
pub struct Audit {
    #[command(flatten)]
    pub which: Which,
    /// Only these [default: all but reads]
    #[arg(long, value_enum, value_name = "TOPIC", value_delimiter = ',')]
    pub only: Vec<Topic>,
    /// Also what was tried in vain
    #[arg(long)]
    pub failed: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `imitate grep`
#[derive(Args)]
pub struct Grep {
    /// A regular expression, for bytes: `.` is any byte but a line's end, `(?s-u)\xff` the byte 255
    pub pattern: String,
    #[command(flatten)]
    pub which: Which,
    /// The pattern is text, not an expression
    #[arg(short = 'F', long)]
    pub fixed: bool,
    /// Capital letters are like small ones
    #[arg(short, long)]
    pub ignore_case: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// What `imitate locks` sums up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LocksBy {
    /// The lock
    Object,
    /// The place in the program that takes it
    Site,
}

/// Replay a trace and tell which locks were taken, waited for and held, for how long, and where
///
/// The trace is replayed for this, without its output. Seen are libc's mutexes, read-write locks, spin locks, condition
/// variables, semaphores, barriers and joins (C11's and C++'s, which are made of them, too), whether or not anybody waited.
/// Of locks that are made of atomics, as Rust's are, only the sleeps are seen, as futexes.
///
/// Times are the replay's, in which calculations take as long as ever and system calls next to nothing. In a serial recording
/// one thread runs at a time, so that a wait lasts until the other has been given the turn, and a lock may be held while
/// others run; record with `--order sync` to see how long threads that run in parallel slept for a lock: those times
/// are the recording's. Spin locks are seen in sync order only.
#[derive(Args)]
pub struct Locks {
    #[command(flatten)]
    pub which: Which,
    /// What to sum up by; JSON has both
    #[arg(long, value_enum, default_value_t = LocksBy::Object)]
    pub by: LocksBy,
    /// Print only the first N rows
    #[arg(short = 'n', long, value_name = "N")]
    pub top: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Replay a trace and look for deadlocks: those that are, and those that could have been
///
/// The trace is replayed for this, without its output. Told are threads that wait for each other when the trace ends, and
/// inversions: threads that took locks in orders that could have made them wait for each other, although they did not
/// this time. An order that another lock, held by both, makes harmless is no inversion, nor is one of threads that one
/// created after the other's part or joined before it.
///
/// Seen are libc's mutexes, read-write locks and joins. A lock that is freed, without being destroyed, and another
/// one at the same address are taken for one.
#[derive(Args)]
pub struct Deadlocks {
    #[command(flatten)]
    pub which: Which,
    /// Count attempts to take a lock without waiting as if they waited
    #[arg(long)]
    pub tries: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Replay a trace and look for data races: accesses to the same memory that nothing orders
///
/// The trace is replayed three times for this, without its output; of a recording in sync order threads run one at a time, in one
/// of the ways that the recorded order allows, and where such a replay goes another way than the recording, what was seen until
/// then is told. Told are accesses of two threads to the same bytes, one of
/// which writes, between which nothing happened that orders them: no lock that one gave up and the other took, no condition,
/// semaphore, barrier or pthread_once, no creation or end of a thread, no atomic operation on the same variable. They need not
/// have come close to each other in this execution. Of two places that race, the first time is told, and how often.
///
/// Not seen are accesses by system calls (read(2) into a buffer), and of libc's functions all but those that only
/// work on memory (memcpy, strlen...); what orders threads by pipes, sockets, signals or futexes of their own, which may look
/// like a race; processes that share memory; what a thread does while its process has no other. Instructions do not tell a
/// plain store or load from an atomic one (C++'s `release` and `acquire`): a variable counts as atomic if any instruction with
/// `lock` or `xchg` accesses it. Where a thread makes 4096 accesses to a page in a row, only the first one after each of its
/// calls is seen from then on.
///
/// Sync order does not see atomic operations. They are no races, but a replay may make them the other way round: where one has gone
/// another way than the recording, the last of those are told, too, whose order one of the two threads can see.
#[derive(Args)]
pub struct Races {
    #[command(flatten)]
    pub which: Which,
    /// Of a recording in sync order, tell all accesses to atomic variables that it does not see, wherever the replay went
    #[arg(long)]
    pub atomics: bool,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `imitate diff`
#[derive(Args)]
pub struct Diff {
    /// One trace: its directory, or its name in the storage directory
    #[arg(value_name = "TRACE", value_hint = ValueHint::DirPath)]
    pub first: PathBuf,
    /// The other
    #[arg(value_name = "OTHER", value_hint = ValueHint::DirPath)]
    pub second: PathBuf,
    /// Show the first difference of every thread, not only the first of all
    #[arg(short, long)]
    pub all: bool,
    /// How many events of the thread to show before
    #[arg(short = 'C', long, value_name = "N", default_value_t = 5)]
    pub context: usize,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `imitate export`
#[derive(Args)]
pub struct Export {
    /// Trace directories, or their names in the storage directory [default: the latest]
    #[arg(value_name = "TRACE", value_hint = ValueHint::DirPath)]
    pub traces: Vec<PathBuf>,
    /// The directory of the tables, to which traces can be added
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub parquet: PathBuf,
    /// What the trace is called in the tables, for traces of several machines [default: its directory's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Also the tables `locks` and `lock_sites`, for which the traces are replayed
    #[arg(long)]
    pub locks: bool,
}

/// What a picture is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PictureFormat {
    /// One web page that needs nothing else
    Html,
    /// Chrome's trace format, for Perfetto and others
    Json,
}

/// `imitate timeline`
#[derive(Args)]
pub struct Timeline {
    #[command(flatten)]
    pub which: Which,
    /// The file; it is replaced if it is there
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, default_value = "timeline.html")]
    pub output: PathBuf,
    /// What to write [default: json if the file is called so, else html]
    #[arg(long, value_enum)]
    pub format: Option<PictureFormat>,
}

/// `imitate ps`
#[derive(Args)]
pub struct Processes {
    #[command(flatten)]
    pub which: Which,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}
