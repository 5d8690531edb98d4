//! The companion in replay: from the trace to the rings.

mod stream;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::futex::SystemFutex;
use super::link::{FromCompanion, Outcome, ReplayEnd};
use super::memory::{ControlMapping, RingMapping, free_slot};
use super::peers::{self, Heard, News, Peers};
use super::process::Process;
use super::wake::{Bell, Futex};
use super::writer::Connections;
use crate::session::{Control, FileMessage, Report, Slot, slot_state};
use crate::trace::chunk::Index;
use crate::trace::files::{Kept, ReferencedFile, Resolved, resolve, resolve_program};
use crate::trace::manifest::{Ended, Manifest, ProcessEnded};
use crate::trace::{Error, Result, directory};

use crate::{message, tell};
use stream::Stream;

/// How long the companion sleeps when nobody wakes it.
const IDLE: Duration = Duration::from_millis(40);
/// How often it looks whether processes were killed.
const LOOK: Duration = Duration::from_millis(200);

/// Describes a divergence, while the thread that met it still waits: its memory can be read.
pub type OnDivergence = Box<dyn FnMut(&Report, &mut dyn Write) -> io::Result<()>>;

/// What to replay.
pub struct Replaying {
    /// The trace.
    pub directory: PathBuf,
    /// A [`check_level`](crate::session::check_level).
    pub check: u32,
    /// What the program's threads do to synchronisation objects is told beside, in the session's memory
    /// ([`crate::session::watch`]).
    pub watched: bool,
    /// The program has a file tree of its own, in which the programs that the trace keeps are where they were.
    pub own_root: bool,
    /// Writes the report that the user sees. Called in the companion process.
    pub on_divergence: OnDivergence,
}

impl Replaying {
    /// With a path that holds wherever the companion's own current directory is.
    pub(super) fn absolute(mut self) -> io::Result<Replaying> {
        self.directory = std::path::absolute(&self.directory)?;
        Ok(self)
    }
}

/// Does the work of a replay's companion, start to end.
pub(super) fn run(replaying: Replaying, connections: Connections) {
    let Connections { memory, socket, mut link, control, stderr } = connections;
    let control = Arc::new(control);
    let result =
        Trace::open(&replaying.directory, replaying.own_root).map_err(io::Error::from).and_then(|trace| {
            control.order.store(trace.manifest.order() as u32, Ordering::Relaxed);
            control.chaos.store(trace.manifest.chaos().unwrap_or(0), Ordering::Relaxed);
            control.hidden.set(trace.manifest.hidden()?);
            let peers = Peers { socket, link: link.try_clone()?, control: control.clone(), alarm: None };
            let shared = control.clone();
            let heard = peers::listen(peers, move |news| {
                if let News::File(message, file) = news {
                    keep_shared(&shared, message, file);
                }
            })?;
            link.send(&FromCompanion::Ready(replaying.directory.clone()))?;
            Ok((trace, heard))
        });
    let (trace, heard) = match result {
        Ok(parts) => parts,
        Err(error) => {
            // Fails only if there is nobody to tell.
            let _ = link.send(&FromCompanion::Refused(error.to_string()));
            return;
        }
    };
    let on_divergence = replaying.on_divergence;
    let mut feeder = Feeder {
        memory,
        control,
        heard,
        trace,
        places: Vec::new(),
        rings: Vec::new(),
        on_divergence,
        last_look: Instant::now(),
        root_has_ended: false,
        end: None,
    };
    feeder.work();
    let end = feeder.end.take().unwrap_or_else(|| feeder.unless_diverged(ReplayEnd::Finished));
    if stderr {
        match &end {
            ReplayEnd::Finished => {}
            ReplayEnd::EndsEarly(how) => tell!("the recording ends here: {how}"),
            ReplayEnd::Diverged(report) => message::write(report),
            ReplayEnd::Failed(reason) => tell!("the replay had to stop: {reason}"),
        }
    }
    let _ = link.send(&FromCompanion::Done(Outcome::Replayed(end)));
}

/// Keeps what stands in for a file that processes share, so that it outlives the one that made it, and says under
/// which descriptor others find it.
fn keep_shared(control: &ControlMapping, message: FileMessage, file: Option<File>) {
    let entry = control.shared_files.iter().find(|entry| {
        entry.number.load(Ordering::Acquire) == message.file && entry.descriptor.load(Ordering::Relaxed) == 0
    });
    if let (Some(entry), Some(file)) = (entry, file) {
        entry.descriptor.store(file.into_raw_fd() as u32 + 1, Ordering::Release);
        SystemFutex::new(Duration::ZERO, None).wake(&entry.descriptor);
    }
}

/// An open trace.
pub(super) struct Trace {
    directory: PathBuf,
    index: Index,
    manifest: Manifest,
    /// Files that were needed so far.
    resolved: HashMap<u64, Rc<Resolved>>,
    /// Programs that were needed so far. One that was executed often has as many numbers, but was kept once.
    programs: HashMap<Kept, Resolved>,
    /// Programs that are where they were, as the replayed program sees it.
    in_place: HashSet<u64>,
}

impl Trace {
    fn open(path: &Path, own_root: bool) -> Result<Trace> {
        let manifest = Manifest::load(path)?;
        let placed = manifest.kept_programs().filter(|_| own_root).map(|file| file.id);
        Ok(Trace {
            in_place: placed.collect(),
            manifest,
            index: Index::open(&directory::events_path(path))?,
            directory: path.to_owned(),
            resolved: HashMap::new(),
            programs: HashMap::new(),
        })
    }

    /// The content of the referenced file `id`.
    fn file(&mut self, id: u64) -> Result<Rc<Resolved>> {
        if let Some(resolved) = self.resolved.get(&id) {
            return Ok(resolved.clone());
        }
        let resolved = Rc::new(resolve(&self.directory, self.manifest.file(id)?)?);
        self.resolved.insert(id, resolved.clone());
        Ok(resolved)
    }

    /// A path at which the program that was kept as file `id` can be executed.
    fn program(&mut self, id: u64) -> Result<PathBuf> {
        let file: &ReferencedFile = self.manifest.file(id)?;
        if self.in_place.contains(&id) {
            return Ok(file.path.as_path().to_owned());
        }
        if !matches!(file.kept, Kept::Copied(_) | Kept::Reflinked(_)) {
            return Ok(resolve_program(&self.directory, file)?.path);
        }
        if let Some(resolved) = self.programs.get(&file.kept) {
            return Ok(resolved.path.clone());
        }
        let resolved = resolve_program(&self.directory, file)?;
        let path = resolved.path.clone();
        self.programs.insert(file.kept.clone(), resolved);
        Ok(path)
    }

    /// How the recording ended, for someone who has just replayed all of it.
    fn ended(&self) -> String {
        let first = self.manifest.processes.first().map(|process| &process.ended);
        match (&self.manifest.ended, first) {
            (_, Some(ProcessEnded::Signalled(signal))) => {
                format!("the program was killed by signal {signal}")
            }
            (Ended::Early(reason), _) => reason.clone(),
            (Ended::Recording, _) => "the recorder itself was killed, or is still recording".into(),
            (Ended::Complete, _) => "nothing more was recorded of the program".into(),
        }
    }
}

/// A slot that is in use.
struct Place {
    stream: Stream,
    process: Process,
    process_id: u32,
}

struct Feeder {
    memory: OwnedFd,
    control: Arc<ControlMapping>,
    heard: Arc<Heard>,
    trace: Trace,
    places: Vec<Option<Place>>,
    /// Of all slots that were ever used: processes come and go, and to map a ring costs more than to fill it.
    rings: Vec<Option<RingMapping>>,
    on_divergence: OnDivergence,
    last_look: Instant,
    root_has_ended: bool,
    /// Set once the replay is over although processes are left; they are killed.
    end: Option<ReplayEnd>,
}

impl Feeder {
    fn work(&mut self) {
        let futex = SystemFutex::new(IDLE, None);
        let control = self.control.clone();
        loop {
            // Asked first: what the last process did before it went must be seen all the same.
            let gone = self.heard.program_gone();
            let moved = self.visit_all();
            if gone {
                return;
            }
            if moved {
                continue;
            }
            let bell = Bell::of_companion(&control);
            let armed = bell.arm();
            if !self.visit_all() && !self.heard.program_gone() {
                bell.sleep(armed, &futex);
            }
            self.free_dead();
        }
    }

    /// Frees the slots of processes that were killed, as the recorded ones may have been: when they had done all that is
    /// in the log. If one had not, somebody has killed it, and others might wait for it for ever.
    fn free_dead(&mut self) {
        // How the first process ended is told when it has: a good moment to see whether others wait for it.
        let root_ended = !self.root_has_ended && self.heard.root_status().is_some();
        self.root_has_ended |= root_ended;
        if self.last_look.elapsed() < LOOK && !root_ended {
            return;
        }
        self.last_look = Instant::now();
        for index in 0..self.places.len() {
            // In replay all ids are of our own namespace.
            let Some(place) = self.places[index].as_ref().filter(|place| place.process.is_dead(false)) else {
                continue;
            };
            let process = place.process_id;
            let control = self.control.clone();
            let slot = &control.slots[index];
            let lives = slot.state.load(Ordering::Acquire) == slot_state::LIVE;
            if lives && self.end.is_none() && self.has_more(index, slot) {
                self.finish(ReplayEnd::Failed(format!("its process {process} was killed from outside")));
            }
            self.free(index);
        }
    }

    fn free(&mut self, index: usize) {
        if let Some(place) = self.places.get_mut(index) {
            *place = None;
        }
        free_slot(self.memory.as_fd(), &self.control, index);
    }

    /// Sees to all slots. Returns whether anything was done.
    fn visit_all(&mut self) -> bool {
        let control = self.control.clone();
        let mut moved = false;
        for (index, slot) in control.used_slots().iter().enumerate() {
            let state = slot.state.load(Ordering::Acquire);
            if state != slot_state::FREE && state != slot_state::TAKING {
                moved |= self.visit(index, slot, state);
            }
        }
        moved
    }

    fn visit(&mut self, index: usize, slot: &Slot, state: u32) -> bool {
        if state == slot_state::FINISHED {
            self.check_finished(index, slot);
            self.free(index);
            return true;
        }
        if let Err(error) = self.take_up(index, slot) {
            self.finish(ReplayEnd::Failed(error.to_string()));
        }
        let Some(place) = self.places.get_mut(index).and_then(Option::as_mut) else { return false };
        let id = slot.process.load(Ordering::Acquire);
        if id != place.process_id {
            place.process = Process::meet(id);
            place.process_id = id;
        }
        if self.end.is_some() {
            place.process.kill();
            return false;
        }
        match state {
            slot_state::DIVERGED if is_reported(&self.control) => {
                let text = self.report();
                self.finish(ReplayEnd::Diverged(text));
                true
            }
            slot_state::STARVED => {
                let end = self.unless_diverged(ReplayEnd::EndsEarly(self.trace.ended()));
                self.finish(end);
                true
            }
            slot_state::RESERVED | slot_state::LIVE => match place.stream.fill(slot, &mut self.trace) {
                Ok(moved) => moved,
                Err(error) => {
                    self.finish(ReplayEnd::Failed(error.to_string()));
                    true
                }
            },
            _ => false,
        }
    }

    /// A thread that ended in an orderly way must have used up its stream: that the recorded one did more is a
    /// difference that nobody inside the program can notice.
    fn check_finished(&mut self, index: usize, slot: &Slot) {
        // It may have ended before its first byte was looked for.
        if self.take_up(index, slot).is_ok() && self.has_more(index, slot) && self.end.is_none() {
            let stream = slot.stream.load(Ordering::Acquire);
            self.finish(ReplayEnd::Diverged(format!(
                "imitate: the replay diverged from the recording\n  stream {stream}\n  expected: further events\n  \
                 happened: the thread ended\n"
            )));
        }
    }

    /// Whether the slot's stream has events that its thread has not taken.
    fn has_more(&mut self, index: usize, slot: &Slot) -> bool {
        let Some(place) = self.places.get_mut(index).and_then(Option::as_mut) else { return false };
        // What fill puts there stays: nobody takes it any more.
        let failed = place.stream.fill(slot, &mut self.trace).is_err();
        failed || slot.head.0.load(Ordering::Acquire) != slot.tail.0.load(Ordering::Acquire)
    }

    /// Begins to feed a slot that was given a stream.
    fn take_up(&mut self, index: usize, slot: &Slot) -> Result<()> {
        if self.places.len() <= index {
            self.places.resize_with(index + 1, || None);
            self.rings.resize_with(index + 1, || None);
        }
        if self.places[index].is_none() {
            let number = slot.stream.load(Ordering::Acquire);
            let ring = match &mut self.rings[index] {
                Some(ring) => ring,
                none => none.insert(RingMapping::new(self.memory.as_fd(), index).map_err(|source| {
                    Error::System { action: "map", path: "the session's memory".into(), source }
                })?),
            };
            // SAFETY: the control mapping and the rings live as long as self; nobody else produces.
            let stream = unsafe { Stream::new(number, slot, ring, &self.trace.index) };
            self.places[index] = Some(Place { stream, process: Process::Unknown, process_id: 0 });
        }
        Ok(())
    }

    /// Ends the replay; from now on every process that is met is killed.
    fn finish(&mut self, end: ReplayEnd) {
        self.end.get_or_insert(end);
        for place in self.places.iter().flatten() {
            place.process.kill();
        }
    }

    /// How it ended: like this, if no thread has gone another way meanwhile.
    fn unless_diverged(&mut self, end: ReplayEnd) -> ReplayEnd {
        match is_reported(&self.control) {
            true => ReplayEnd::Diverged(self.report()),
            false => end,
        }
    }

    /// What the user is told about a divergence.
    fn report(&mut self) -> String {
        // SAFETY: state 2 says that its writer is done; nobody writes to it again.
        let report = unsafe { *self.control.report.get() };
        let mut text = Vec::new();
        if let Err(error) = (self.on_divergence)(&report, &mut text) {
            let said = &report.text[..(report.text_length as usize).min(report.text.len())];
            let said = String::from_utf8_lossy(said);
            let _ = write!(text, "{said}\n(the rest of the report failed: {error})\n");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Whether a thread has gone another way. It may wait while others go on.
fn is_reported(control: &Control) -> bool {
    control.report_state.load(Ordering::Acquire) == 2
}

/// Reads all of `target` from `file` at `offset`.
fn read_exact(resolved: &Resolved, target: &mut [u8], offset: u64) -> Result<()> {
    let file: &File = &resolved.file;
    std::os::unix::fs::FileExt::read_exact_at(file, target, offset).map_err(|source| Error::System {
        action: "read what the recorded program read from",
        path: resolved.path.clone(),
        source,
    })
}
