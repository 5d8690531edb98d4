//! The command line, as data: parsing, `--help`, man pages and completions all come from here.

mod questions;

use crate::notes::{self, COMPILER, ENVIRONMENT, EXIT_STATUS};
use crate::place::Place;
use crate::run::Condition;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
pub use questions::{
    Audit, By, Deadlocks, Diff, Dump, Export, Extract, Grep, Locks, LocksBy, PictureFormat, Processes, Races,
    SortBy, Stats, Timeline,
};
use std::ffi::OsString;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;
use tracer_core::processor::{Hidden, Unknown};
use tracer_core::session::Order;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Record unmodified Linux programs and replay them exactly.
#[derive(Parser)]
#[command(name = "imitate", version, styles = STYLES)]
#[command(after_help = notes::text(&[&EXIT_STATUS]), after_long_help = notes::text(&[&EXIT_STATUS, &ENVIRONMENT]))]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Do not show long output in $PAGER, which else is done on a terminal
    #[arg(long, global = true)]
    pub no_pager: bool,
}

/// The subcommands. The arguments of one are described only when it is named.
#[derive(Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Run a program and record everything that it cannot compute by itself
    #[command(after_help = notes::text(&[&EXIT_STATUS]))]
    Record(Record),
    /// Run a recorded program again: same output, same addresses, same exit status
    #[command(after_help = notes::text(&[&EXIT_STATUS]))]
    Replay(Replay),
    /// List the traces
    #[command(visible_alias = "list")]
    Ls(List),
    /// Remove traces
    Rm(Remove),
    /// Make one file of a trace, with all that its replay needs, for another machine
    Pack(Pack),
    /// Make a trace of such a file
    Unpack(Unpack),
    /// Print the events of a trace, in the manner of strace
    Dump(Dump),
    /// Count what a trace holds, by system call, thread, or object (file, socket, pipe...)
    Stats(Stats),
    /// Rebuild files and streams (sockets, pipes...) as the program read and wrote them
    Extract(Extract),
    /// List what matters to security: programs, files, peers, privileges, executable memory
    Audit(Audit),
    /// Look for a pattern in what the program read and wrote
    Grep(Grep),
    /// Replay a trace and tell which locks were taken, waited for and held, for how long, and where
    Locks(Locks),
    /// Replay a trace and look for deadlocks: those that are, and those that could have been
    #[command(after_help = notes::text(&[&EXIT_STATUS]))]
    Deadlocks(Deadlocks),
    /// Replay a trace and look for data races: accesses to the same memory that nothing orders
    #[command(after_help = notes::text(&[&EXIT_STATUS]))]
    Races(Races),
    /// Find where two traces of a program first differ: in results, data, or who ran
    #[command(after_help = notes::text(&[&EXIT_STATUS]))]
    Diff(Diff),
    /// Write traces as Parquet tables, for DuckDB, DataFusion, Spark and others
    Export(Export),
    /// Draw threads, hand-overs, system calls and signals, as a web page or for Perfetto
    Timeline(Timeline),
    /// Show the processes and threads of a trace as a tree, and how each ended
    Ps(Processes),
    /// Record a program once, replay it several times, and compare
    Verify(Verify),
    /// Record a program again and again until it fails, and keep that trace
    #[command(after_help = notes::text(&[&EXIT_STATUS]))]
    Hunt(Hunt),
    /// Find the fewest hand-overs between threads that make the difference between failing and not
    #[command(after_help = notes::text(&[&EXIT_STATUS]))]
    Bisect(Bisect),
    /// Compile a program so that `record --order sync` sees its atomic operations
    #[command(after_help = notes::text(&[&COMPILER]))]
    Cc(Compile),
    /// Check what this machine offers, and what works without the missing parts
    Doctor,
    /// Print a completion script for a shell
    Completions(Completions),
    /// Write man pages
    #[command(hide = true)]
    Man(Man),
    /// Become the recorded program, in this process (used by `replay --gdb` as gdb's exec-wrapper)
    #[command(hide = true)]
    ReplayExec(ReplayExec),
}

/// How much state a replay proves to be identical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// Registers, inputs of calls, the top of the stack
    Cheap,
    /// Also all writable memory, periodically
    Full,
}

/// When the files that the program reads are copied into the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CopyFiles {
    /// Those that could change before the replay
    Auto,
    /// None: the trace is small, and needs them unchanged
    Never,
    /// All: the trace needs no file of this machine
    All,
}

/// What makes the interleaving of threads repeatable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OrderName {
    /// Threads run one at a time: complete, for any program
    Serial,
    /// Threads run in parallel: for programs that share only what locks, or other objects of libc, protect
    Sync,
}

impl OrderName {
    /// What it stands for.
    pub fn order(self) -> Order {
        match self {
            OrderName::Serial => Order::Serial,
            OrderName::Sync => Order::Sync,
        }
    }
}

/// A program and its arguments.
#[derive(Args)]
pub struct Program {
    /// The program, looked up in PATH as a shell would, and its arguments
    // Without `allow_hyphen_values`: else an option that the subcommand does not have would be taken for the program.
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    #[arg(value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Which trace.
#[derive(Args)]
pub struct Which {
    /// Trace directory, or its name in the storage directory [default: the latest]
    #[arg(value_name = "TRACE", value_hint = ValueHint::DirPath)]
    pub trace: Option<PathBuf>,
}

/// How a recording is made; shared by `record`, `verify` and `hunt`.
#[derive(Args)]
pub struct RecordingOptions {
    /// How much state replays will be able to prove identical; `full` costs recording time
    #[arg(long, value_enum, default_value_t = Check::Cheap)]
    pub check: Check,
    /// When the files that the program reads are copied into the trace
    #[arg(long, value_enum, default_value_t = CopyFiles::Auto, value_name = "WHEN")]
    pub copy_files: CopyFiles,
    /// zstd level of the trace: 1 is fast, 19 is small
    #[arg(long, value_name = "LEVEL", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=19))]
    pub compression: i32,
    /// How threads run, and what of it is recorded
    #[arg(long, value_enum, default_value_t = OrderName::Serial)]
    pub order: OrderName,
    /// Let threads change over at the worst moments, to bring out failures that depend on timing. The same SEED (from
    /// 1 on) makes the same decisions [default: a random one]
    #[arg(long, value_name = "SEED", num_args = 0..=1, require_equals = true)]
    pub chaos: Option<Option<NonZeroU64>>,
    /// Let the program see a processor that has less than this one, so that the trace can be replayed on such: a level (x86-64,
    /// x86-64-v2, x86-64-v3, x86-64-v4), features with + or - before them as /proc/cpuinfo calls them, or both:
    /// x86-64-v2,+aes or -avx512f,-avx2
    #[arg(long, value_name = "CPU", allow_hyphen_values = true)]
    pub cpu: Option<Cpu>,
    /// With --cpu: fail if something may have seen the whole processor all the same, instead of saying so
    #[arg(long, requires = "cpu")]
    pub cpu_strict: bool,
}

/// What a program is told of its processor.
#[derive(Clone, Debug)]
pub struct Cpu {
    /// As the user describes it.
    pub text: String,
    /// What it is not told of.
    pub hidden: Hidden,
}

impl FromStr for Cpu {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Cpu, Unknown> {
        Ok(Cpu { hidden: text.parse()?, text: text.to_owned() })
    }
}

/// `imitate record`
#[derive(Args)]
pub struct Record {
    /// Where the trace goes; must not exist [default: a new directory in the storage directory]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub options: RecordingOptions,
    /// Let threads change over where this file says, and else only when they wait: what `bisect --list` has written
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "chaos")]
    pub hand_overs: Option<PathBuf>,
    /// Say on stderr where the trace is and how large it became
    #[arg(short, long)]
    pub verbose: bool,
    /// Print neither the seed of --chaos nor what a replay may miss
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
    #[command(flatten)]
    pub program: Program,
}

/// What follows the report of a divergence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnDivergence {
    /// Nothing
    End,
    /// Another replay under gdb, where the thread is about to do what is not in the recording
    Gdb,
}

/// `imitate replay`
#[derive(Args)]
pub struct Replay {
    #[command(flatten)]
    pub which: Which,
    /// Run it under gdb, stopped at main, or where it is about to do an event: its number in the first stream, or STREAM:EVENT
    /// as `imitate dump --places` prints it
    #[arg(long, value_name = "EVENT|STREAM:EVENT", num_args = 0..=1, require_equals = true, value_parser = Place::from_event)]
    pub gdb: Option<Option<Place>>,
    /// What to do after the report if the replay is not identical
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = OnDivergence::End, conflicts_with = "gdb")]
    pub on_divergence: OnDivergence,
    /// Do not show on a terminal how far a long replay has come
    #[arg(short, long)]
    pub quiet: bool,
    /// How much state to verify
    #[arg(long, value_enum, default_value_t = Check::Cheap)]
    pub check: Check,
    /// With --gdb: more arguments for gdb, such as --interpreter=mi
    #[arg(last = true, value_name = "ARGUMENT", requires = "gdb")]
    pub gdb_arguments: Vec<OsString>,
}

/// `imitate ls`
#[derive(Args)]
pub struct List {
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// `imitate rm`
#[derive(Args)]
pub struct Remove {
    /// Trace directories, or their names in the storage directory
    #[arg(value_name = "TRACE", required_unless_present = "all", value_hint = ValueHint::DirPath)]
    pub traces: Vec<PathBuf>,
    /// Remove every trace in the storage directory
    #[arg(long, conflicts_with = "traces")]
    pub all: bool,
    /// Do not ask before removing all
    #[arg(short, long)]
    pub yes: bool,
}

/// Make one file of a trace, with all that its replay needs, for another machine
///
/// Programs, the libraries that they began with, and all files that the trace refers to are in the file, each content once,
/// compressed. Where these are not as they were, a replay of the unpacked trace begins in a file tree of its own, for which
/// it has to be root, or the machine to permit user namespaces. It takes the same build of imitate, and a processor with
/// all features of the recorded one, or, if the trace was recorded with --cpu, those that the program was told of.
#[derive(Args)]
pub struct Pack {
    #[command(flatten)]
    pub which: Which,
    /// The file, which must not exist [default: TRACE.imitate here]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// `imitate unpack`
#[derive(Args)]
pub struct Unpack {
    /// What `imitate pack` has made
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where the trace goes; must not exist [default: a new directory in the storage directory]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
}

/// `imitate verify`
#[derive(Args)]
pub struct Verify {
    /// How many times to replay
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub replays: u32,
    /// How many replays run at once
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub jobs: u32,
    /// Remove this file or directory after recording, to prove that the replays do not need it
    #[arg(long = "delete", value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub delete: Vec<PathBuf>,
    /// Keep the trace even if all replays were identical
    #[arg(short, long)]
    pub keep: bool,
    #[command(flatten)]
    pub options: RecordingOptions,
    #[command(flatten)]
    pub program: Program,
}

/// `imitate hunt`
#[derive(Args)]
pub struct Hunt {
    /// How many times to run the program, at most
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// What to look for: exit=K, exit!=K, signal, signal=NAME, or 'match RE', a regular expression for what the program
    /// writes; any of them if given several times [default: exit!=0 and signal]
    #[arg(long, value_name = "WHAT")]
    pub until: Vec<Condition>,
    /// Where the trace goes; must not exist [default: a new directory in the storage directory]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Let threads run as they do in other recordings; else there is chaos, with a seed one higher in each run
    #[arg(long, conflicts_with = "chaos")]
    pub no_chaos: bool,
    /// Show the output of every run, not only of the one that is kept
    #[arg(long)]
    pub show: bool,
    #[command(flatten)]
    pub options: RecordingOptions,
    #[command(flatten)]
    pub program: Program,
}

/// Find the fewest hand-overs between threads that make the difference between failing and not
///
/// A recording with chaos that fails (`imitate hunt` finds one) has many hand-overs, most of which have nothing to do with the
/// failure. The program is recorded again, with the same command line, directory and environment, with more and more of them
/// left out: then a thread runs until it waits. What is left is told: which thread was interrupted, where (with its
/// stack), for whom, and what others did before it went on. A trace that fails with only these is kept.
///
/// Each recording needs the same input; stdin is read again if it is a file. A failure that depends on time, random numbers or
/// other processes, too, may not come again, or not always: the answer says how often. If the program fails when no thread is
/// interrupted, the hand-overs that keep it from failing are looked for instead.
#[derive(Args)]
pub struct Bisect {
    /// A trace with chaos that fails: a directory, or its name in the storage directory
    #[arg(value_name = "FAIL", value_hint = ValueHint::DirPath)]
    pub failing: PathBuf,
    /// One of the same command line that does not; it is needed only if the program fails when no thread is interrupted
    /// [default: others of chaos's seeds]
    #[arg(value_name = "PASS", value_hint = ValueHint::DirPath)]
    pub passing: Option<PathBuf>,
    /// How often the answer is checked: with all of its hand-overs, and with each of them left out
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// What a failure is: exit=K, exit!=K, signal, signal=NAME, or 'match RE', a regular expression for what the program
    /// writes; any of them if given several times [default: that the program ends as FAIL did]
    #[arg(long, value_name = "WHAT")]
    pub until: Vec<Condition>,
    /// Where the trace goes; must not exist [default: a new directory in the storage directory]
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub output: Option<PathBuf>,
    /// Write the hand-overs to this file, which must not exist: `record --hand-overs FILE` makes them again
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub list: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What of a program's accesses to memory is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Accesses {
    /// Atomic operations, and volatile variables
    Atomics,
    /// All that its own code makes: data races replay too
    All,
}

/// `imitate cc`
#[derive(Args)]
pub struct Compile {
    /// What is ordered, in what is linked by this command
    #[arg(long, value_enum, default_value_t = Accesses::Atomics)]
    pub mode: Accesses,
    /// gcc, g++, clang, clang++ or rustc, and its arguments
    // As in `Program`.
    #[arg(required = true, num_args = 1.., trailing_var_arg = true)]
    #[arg(value_name = "COMPILER", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// `imitate completions`
#[derive(Args)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `imitate man`
#[derive(Args)]
pub struct Man {
    /// Directory for the pages; it is made if it is not there
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
}

/// `imitate replay-exec`
#[derive(Args)]
pub struct ReplayExec {
    /// Trace directory
    pub trace: PathBuf,
    /// How much state to verify
    #[arg(long, value_enum, default_value_t = Check::Cheap)]
    pub check: Check,
    /// A file with what the debugger asks for
    #[arg(long, value_name = "FILE", requires = "bell")]
    pub request: Option<PathBuf>,
    /// A descriptor to which a byte is written when the program stands still as asked
    #[arg(long, value_name = "N", requires = "request")]
    pub bell: Option<i32>,
    /// What gdb appends: the program and its arguments. The trace says what is really run.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub program: Vec<OsString>,
}
