//! The companion while recording: from the rings to the trace.

mod facts;
mod files;
pub mod host;
mod mapped;
mod outsiders;
mod scanner;
mod seals;
mod slots;
mod stream;

use std::ffi::{OsStr, OsString};
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::futex::SystemFutex;
use super::link::{FromCompanion, Link, Outcome, Summary};
use super::memory::ControlMapping;
use super::peers::{self, Heard, News, Peers};
use super::wake::{self, Bell};
use crate::processor::Hidden;
use crate::session::schedule::HandOver;
use crate::session::{Order, file_use};
use crate::tell;
use crate::trace::byte_string::ByteString;
use crate::trace::directory::{self, Reserve, TraceDirectory};
use crate::trace::files::Policy;
use crate::trace::manifest::{Ended, Manifest, Recorder};
use crate::trace::{Error, chunk};

use files::Files;
use mapped::Mapped;
use outsiders::Outsiders;
use seals::Seals;
use slots::Slots;

/// How long the companion sleeps when nobody wakes it: rings that are less than a quarter full are emptied then.
const IDLE: Duration = Duration::from_millis(40);
/// How long other processes may outlive the first one before the launcher is told that they go on.
const GRACE: Duration = Duration::from_millis(150);

/// What to record, and where.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Where the trace goes.
    pub place: Place,
    /// The command line. A trace in a [`Place::Library`] is called after its first word: what the user typed, not what a link
    /// or a script's first line led to.
    pub command: Vec<OsString>,
    /// The directory in which it is started.
    pub directory: PathBuf,
    /// This imitate, for the manifest.
    pub recorder: Recorder,
    /// What makes the interleaving of threads repeatable. It goes into the manifest too.
    pub order: Order,
    /// How to keep files that the program reads.
    pub policy: Policy,
    /// A [`check_level`](crate::session::check_level).
    pub check: u32,
    /// The seed of [`Control::chaos`](crate::session::Control::chaos), if there is to be chaos. It goes into the
    /// manifest too.
    pub chaos: Option<NonZeroU64>,
    /// What programs are told of their processor, if not all of it. It goes into the manifest too.
    pub processor: Option<Processor>,
    /// The hand-overs that are made, and no others ([`schedule`](crate::session::schedule)); those of a thread in a row, in the
    /// order in which it comes to them. There has to be a seed too, by which a replay knows that there are hooks.
    pub hand_overs: Option<Vec<HandOver>>,
}

/// What the programs of a recording are told of their processor.
#[derive(Clone, Debug)]
pub struct Processor {
    /// As the user has described it, from which `hidden` comes.
    pub text: String,
    /// What they are not told of.
    pub hidden: Hidden,
    /// A program that could see it all the same does not begin.
    pub strictly: bool,
}

impl Recording {
    /// What programs are not told of their processor, and whether strictly so.
    pub(super) fn hidden(&self) -> (Hidden, bool) {
        self.processor
            .as_ref()
            .map_or_else(Default::default, |processor| (processor.hidden, processor.strictly))
    }
}

/// Where a trace goes.
#[derive(Clone, Debug)]
pub enum Place {
    /// Into this directory, which must not exist or be empty.
    At(PathBuf),
    /// Into a new directory, named after the program, in this one, which need not exist.
    Library(PathBuf),
}

/// What the companion process works with.
pub(super) struct Connections {
    pub memory: OwnedFd,
    pub socket: OwnedFd,
    pub link: Link,
    pub control: ControlMapping,
    /// Whether messages for the user go to stderr, since nobody waits for the outcome.
    pub stderr: bool,
}

/// Does the work of a recording's companion, start to end.
pub(super) fn run(recording: &Recording, connections: Connections) {
    let Connections { memory, socket, mut link, control, stderr } = connections;
    let control = Arc::new(control);
    let result = open(recording).and_then(|(directory, events)| {
        let manifest = first_manifest(recording);
        // Before the program starts: whatever kills us then, the trace is one that can be read.
        manifest.store(directory.path())?;
        let alarm = seals::alarm()?;
        let files = Files::new(directory.path(), recording.policy, Seals::new(control.clone()));
        let inbox = files.clone();
        let outsiders = Outsiders::new(control.clone());
        let watch = outsiders.clone();
        let peers = Peers { socket, link: link.try_clone()?, control: control.clone(), alarm: Some(alarm) };
        let heard = peers::listen(peers, move |news| match news {
            News::Alarm => inbox.settle_broken(),
            News::File(message, file) => match message.mapped {
                file_use::SHARED => watch.look_at(&message, file.as_ref()),
                file_use::SEALED => inbox.seal(message, file),
                _ => inbox.keep(message, file),
            },
        })?;
        // In this order: a launcher that is not told that the trace is open ends the program, which must not have begun.
        link.send(&FromCompanion::Ready(directory.path().to_owned()))?;
        wake::trace_is_open(&control, &SystemFutex::new(IDLE, None));
        Ok((directory, events, manifest, (files, outsiders), heard))
    });
    let (directory, mut events, manifest, (files, outsiders), heard) = match result {
        Ok(parts) => parts,
        Err(error) => {
            // Fails only if there is nobody to tell.
            let _ = link.send(&FromCompanion::Refused(error.to_string()));
            return;
        }
    };
    // The program needs longer for its way here.
    events.warm_up();
    let mut writer = Writer {
        slots: Slots::new(memory, control.clone()),
        control,
        heard,
        link,
        directory,
        events: Some(events),
        files,
        mapped: Mapped::default(),
        outsiders,
        outsiders_found: Vec::new(),
        manifest,
        stopped: None,
        root_seen: None,
        background_told: false,
    };
    writer.work();
    let summary = writer.finish();
    if stderr {
        tell_user(&summary);
    }
    let (mut link, reserve) = writer.let_go();
    // Fails only if there is nobody to tell.
    let _ = link.send(&FromCompanion::Done(Outcome::Recorded(summary)));
    drop(link);
    drop(reserve);
}

fn open(recording: &Recording) -> io::Result<(TraceDirectory, chunk::Writer)> {
    let directory = match &recording.place {
        Place::At(path) => TraceDirectory::create_at(path)?,
        Place::Library(root) => directory::create_in(root, recording.program())?,
    };
    let events = chunk::Writer::create(&directory::events_path(directory.path()))?;
    Ok((directory, events))
}

fn first_manifest(recording: &Recording) -> Manifest {
    let mut manifest = Manifest::begin(
        recording.recorder.clone(),
        recording.command.iter().cloned().map(ByteString::from).collect(),
        ByteString::from(recording.directory.clone()),
        host::describe(),
        recording.order.name(),
    );
    manifest.set_chaos(recording.chaos);
    if let Some(processor) = &recording.processor {
        manifest.set_processor(&processor.text);
    }
    manifest
}

fn tell_user(summary: &Summary) {
    let early = summary.ends_early.iter().map(|reason| format!("the trace ends early: {reason}"));
    for message in early.chain(summary.warnings.iter().cloned()) {
        tell!("{}: {message}", summary.directory.display());
    }
}

/// A recording in progress.
struct Writer {
    slots: Slots,
    control: Arc<ControlMapping>,
    heard: Arc<Heard>,
    link: Link,
    directory: TraceDirectory,
    /// `None` when nothing more is written.
    events: Option<chunk::Writer>,
    files: Files,
    mapped: Mapped,
    outsiders: Outsiders,
    /// What the user is told of them, once the recording has ended.
    outsiders_found: Vec<String>,
    manifest: Manifest,
    /// Why recording stopped before the program ended.
    stopped: Option<String>,
    /// When the first process's end was heard of.
    root_seen: Option<Instant>,
    background_told: bool,
}

impl Writer {
    /// Moves bytes until no process is left.
    fn work(&mut self) {
        let futex = SystemFutex::new(IDLE, None);
        loop {
            // Read before draining: what the last process published is then seen by it.
            let gone = self.heard.program_gone();
            if self.drain() && !gone {
                continue;
            }
            if gone && !self.heard.awaits_root_status() {
                return;
            }
            self.tell_launcher_of_background();
            self.mapped.describe(self.slots.facts.objects());
            let control = self.control.clone();
            let bell = Bell::of_companion(&control);
            let armed = bell.arm();
            if !self.drain() && self.heard.program_gone() == gone {
                bell.sleep(armed, &futex);
            }
            let dead = self.slots.dead();
            self.cut_short(&dead);
        }
    }

    /// Ends the streams in `slots`, whose processes were killed.
    fn cut_short(&mut self, slots: &[usize]) {
        for &slot in slots {
            let Some(events) = &mut self.events else { return };
            if let Err(error) = self.slots.cut_short(slot, events) {
                self.stop(&error);
            }
        }
    }

    /// Empties all rings. Returns whether there was anything.
    fn drain(&mut self) -> bool {
        if self.files.has_failed() {
            let report = self.files.finish();
            if let Some(error) = &report.error {
                self.stop(error);
            }
            self.note_files(report);
        }
        let Some(events) = &mut self.events else { return false };
        match self.slots.drain(events) {
            Ok(moved) => moved,
            Err(error) => {
                self.stop(&error);
                false
            }
        }
    }

    /// The trace cannot be written any more: the program goes on without.
    fn stop(&mut self, error: &Error) {
        self.stopped = Some(error.to_string());
        self.control.stopped.store(1, Ordering::SeqCst);
        self.slots.wake_all();
        self.close_events();
        self.manifest.end(Ended::Early(error.to_string()));
        self.store_manifest();
        // What comes yet takes the place of this.
        self.directory.release_reserve();
    }

    /// Ends the `events` file, with what is in the streams' buffers if there was no error before.
    fn close_events(&mut self) {
        if let Some(mut events) = self.events.take() {
            self.manifest.totals.stream_bytes = events.bytes_appended();
            self.manifest.totals.events_file_bytes = events.bytes_written();
            if let Err(error) = self.directory.write_last(|_| events.finish()) {
                self.stopped.get_or_insert(error.to_string());
            }
        }
    }

    fn store_manifest(&mut self) {
        if let Err(error) = self.directory.write_last(|directory| self.manifest.store(directory)) {
            self.stopped.get_or_insert(error.to_string());
        }
    }

    fn note_files(&mut self, report: files::Report) {
        // Of all files so far.
        self.manifest.totals.kept_bytes = report.kept_bytes;
        self.manifest.files.extend(report.files);
    }

    fn tell_launcher_of_background(&mut self) {
        let Some(status) = self.heard.root_status() else { return };
        let since = *self.root_seen.get_or_insert_with(Instant::now);
        if !self.background_told && since.elapsed() > GRACE && !self.heard.program_gone() {
            self.background_told = true;
            self.slots.facts.root_ended(status);
            let summary = self.summary(true);
            let _ = self.link.send(&FromCompanion::Done(Outcome::Recorded(summary)));
        }
    }

    /// Completes the trace.
    fn finish(&mut self) -> Summary {
        if let Some(status) = self.heard.root_status() {
            self.slots.facts.root_ended(status);
        }
        // Nobody is left who could have said more.
        let rest = self.slots.used();
        self.cut_short(&rest);
        let report = self.files.finish();
        if let Some(error) = &report.error {
            self.stopped.get_or_insert(error.to_string());
        }
        self.note_files(report);
        self.mapped.describe(self.slots.facts.objects());
        let (objects, missing) = std::mem::take(&mut self.mapped).finish();
        self.manifest.objects = objects;
        self.manifest.notes.extend(missing);
        self.close_events();
        self.outsiders_found = self.outsiders.finish();

        let facts = &self.slots.facts;
        self.manifest.processes = facts.processes();
        self.manifest.notes.extend_from_slice(facts.notes());
        self.manifest.notes.extend_from_slice(&self.outsiders_found);
        let schedule = &self.control.schedule;
        if schedule.on.load(Ordering::Relaxed) != 0 {
            let [made, others] =
                [&schedule.made, &schedule.others].map(|count| count.load(Ordering::Relaxed));
            self.manifest.set_hand_overs(made, others);
        }
        self.manifest.totals.streams = u64::from(facts.streams());
        self.manifest.totals.events = facts.events();
        let early = self.ends_early();
        self.manifest.end(early.map_or(Ended::Complete, Ended::Early));
        self.store_manifest();
        self.summary(false)
    }

    /// Closes and unlocks the trace: whoever then hears that it is done may do anything with it. The disk space that
    /// was set aside for its end is freed when nobody waits any more.
    fn let_go(self) -> (Link, Reserve) {
        (self.link, self.directory.unlock())
    }

    /// Why the trace does not hold all of the program's run.
    fn ends_early(&self) -> Option<String> {
        let cut = || {
            let (stream, reason) = self.slots.facts.first_cut()?;
            Some(format!("stream {stream} was cut short: {reason}"))
        };
        self.stopped.clone().or_else(cut)
    }

    fn summary(&self, still_running: bool) -> Summary {
        let facts = &self.slots.facts;
        let totals = &self.manifest.totals;
        let unavailable = self.manifest.files.iter().filter_map(|file| match &file.kept {
            crate::trace::files::Kept::Unavailable(reason) => {
                Some(format!("{} cannot be read in replay: {reason}", file.path.to_text()))
            }
            _ => None,
        });
        Summary {
            directory: self.directory.path().to_owned(),
            still_running,
            root_status: self.heard.root_status(),
            ends_early: self.ends_early(),
            events: facts.events(),
            bytes: self.events.as_ref().map_or(totals.stream_bytes, chunk::Writer::bytes_appended),
            bytes_returned: facts.bytes_returned(),
            streams: facts.streams(),
            warnings: facts.notes().iter().chain(&self.outsiders_found).cloned().chain(unavailable).collect(),
        }
    }
}

impl Recording {
    /// The program, as it was typed.
    fn program(&self) -> &Path {
        Path::new(self.command.first().map_or(OsStr::new(""), OsString::as_os_str))
    }

    /// With paths that hold wherever the companion's own current directory is.
    pub(super) fn absolute(mut self) -> io::Result<Recording> {
        let make = |path: &Path| std::path::absolute(path);
        self.place = match &self.place {
            Place::At(path) => Place::At(make(path)?),
            Place::Library(path) => Place::Library(make(path)?),
        };
        Ok(self)
    }
}
