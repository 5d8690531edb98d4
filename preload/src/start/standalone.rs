//! `LD_PRELOAD=libimitate.so ./app` without the tool: the library starts the companion itself and executes the
//! program once more, laid out as the tool would have.

use super::maps;
use crate::kernel;
use core::ffi::c_char;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use tracer_core::companion::launch::{
    Launch, changed_objects, exec_program, own_environment, padded_library_path, recorded_program,
    recorded_start,
};
use tracer_core::companion::writer::{Place, Recording};
use tracer_core::companion::{Audience, Role, feeder::Replaying, objects, start};
use tracer_core::session::{Mode, Order, Report, check_level, environment};
use tracer_core::trace::directory;
use tracer_core::trace::files::Policy;
use tracer_core::trace::manifest::{Manifest, Recorder};

unsafe extern "C" {
    static mut environ: *const *const c_char;
}

/// Exit status of a replay that cannot begin.
const CANNOT_REPLAY: i32 = 125;

/// Executes the program again with a companion beside it. Returns only if that cannot be done: when recording,
/// the program then goes on unrecorded, and was told so; a replay ends.
///
/// # Safety
/// `environment` is the array that the kernel put on the initial stack.
pub unsafe fn launch(mode: Mode, environment: *mut *mut c_char) {
    // With `-z initfirst` this runs before libc's own constructor, which would set it.
    // SAFETY: the process has one thread, and the array lives as long as the process.
    unsafe { environ = environment.cast() };
    let result = match mode {
        Mode::Record => record(),
        Mode::Replay => replay(),
    };
    let Err(error) = result else { return };
    kernel::complain(&[error.to_string().as_bytes()]);
    if mode == Mode::Replay {
        kernel::exit(CANNOT_REPLAY);
    }
    kernel::complain(&[b"the program runs unrecorded"]);
}

fn record() -> io::Result<()> {
    let executable = std::fs::read_link("/proc/self/exe")?;
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let library = own_path()?;
    let place = match std::env::var_os(environment::TRACE) {
        Some(path) => Place::At(path.into()),
        None => Place::Library(directory::root().map_err(io::Error::other)?),
    };
    let recording = Recording {
        place,
        command: arguments.clone(),
        directory: std::env::current_dir()?,
        recorder: Recorder {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build_id: File::open(&library).ok().and_then(|file| objects::build_id(&file)).unwrap_or_default(),
        },
        order: order()?,
        policy: Policy::default(),
        check: check_level::CHEAP,
        chaos: chaos()?,
        processor: None,
        hand_overs: None,
    };
    let started = start(Role::Record(Box::new(recording)), Audience::StandardError)?;
    let descriptors = started.program.as_ref().ok_or_else(|| io::Error::other("the companion has gone"))?;
    Err(exec_program(&Launch {
        executable,
        content: None,
        arguments,
        environment: own_environment(variables()),
        stack_limit: None,
        mode: Mode::Record,
        library: padded_library_path(&library)?,
        session: descriptors.value(0),
        root: None,
    }))
}

/// IMITATE_ORDER.
fn order() -> io::Result<Order> {
    let Some(name) = std::env::var_os(environment::ORDER) else { return Ok(Order::default()) };
    name.to_str()
        .and_then(Order::from_name)
        .ok_or_else(|| io::Error::other(format!("{} must be serial or sync", environment::ORDER)))
}

/// IMITATE_CHAOS.
fn chaos() -> io::Result<Option<NonZeroU64>> {
    let Some(seed) = std::env::var_os(environment::CHAOS) else { return Ok(None) };
    let seed = seed.to_str().and_then(|digits| digits.parse().ok());
    seed.map(Some).ok_or_else(|| {
        io::Error::other(format!("{} must be a seed: a number from 1 to {}", environment::CHAOS, u64::MAX))
    })
}

fn replay() -> io::Result<()> {
    let library = own_path()?;
    let trace = match std::env::var_os(environment::TRACE) {
        Some(path) => PathBuf::from(path),
        None => directory::latest(&directory::root().map_err(io::Error::other)?).map_err(io::Error::other)?,
    };
    directory::wait_until_recorded(&trace).map_err(io::Error::other)?;
    let manifest = Manifest::load(&trace).map_err(io::Error::other)?;
    if let Some(changed) = changed_objects(&manifest).first() {
        return Err(io::Error::other(changed.clone()));
    }
    let recorded = recorded_start(&trace).map_err(io::Error::other)?;
    let content = recorded_program(&trace, &manifest, &recorded).map_err(io::Error::other)?;
    let replaying = Replaying {
        watched: false,
        own_root: false,
        directory: trace,
        check: check_level::CHEAP,
        on_divergence: Box::new(|report: &Report, to: &mut dyn Write| describe(report, to)),
    };
    let started = start(Role::Replay(replaying), Audience::StandardError)?;
    let descriptors = started.program.as_ref().ok_or_else(|| io::Error::other("the companion has gone"))?;
    Err(exec_program(&Launch {
        executable: recorded.executable,
        content: content.as_ref().map(|content| content.path.clone()),
        arguments: recorded.arguments,
        environment: own_environment(recorded.environment),
        stack_limit: Some(recorded.stack_limit),
        mode: Mode::Replay,
        library: padded_library_path(&library)?,
        session: descriptors.value(0),
        root: None,
    }))
}

/// The report without what only the tool adds (a backtrace).
fn describe(report: &Report, to: &mut dyn Write) -> io::Result<()> {
    let text = String::from_utf8_lossy(&report.text[..(report.text_length as usize).min(report.text.len())]);
    writeln!(to, "imitate: the replay diverged from the recording")?;
    writeln!(to, "  stream {}, event {}", report.stream, report.event)?;
    text.lines().try_for_each(|line| writeln!(to, "  {line}"))?;
    writeln!(to, "  `imitate replay` shows the backtrace")
}

fn variables() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, value)| {
        let mut variable = name;
        variable.push("=");
        variable.push(value);
        variable
    })
}

/// Where this library was loaded from.
fn own_path() -> io::Result<PathBuf> {
    let text = std::fs::read("/proc/self/maps")?;
    let here = launch as *const () as u64;
    maps::parse(&text)
        .find(|mapping| (mapping.begin..mapping.end).contains(&here))
        .map(|mapping| PathBuf::from(OsStr::from_bytes(mapping.name)))
        .ok_or_else(|| io::Error::other("the library cannot find its own file"))
}
