//! Files that the program only reads, and how they are kept. Small ones are kept at once, by the listening
//! thread; large ones by a thread of their own, so that neither rings nor the program wait for the disk.
//!
//! What events refer to while the program may still read it is under a [seal](super::seals). Programs and files of the
//! installed system are not: that they change meanwhile is noticed, and then a replay refuses them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::seals::{Seal, Seals};
use crate::session::FileMessage;
use crate::trace::Error;
use crate::trace::byte_string::ByteString;
use crate::trace::files::{Identity, Keeper, Kept, Policy, ReferencedFile};

/// Files up to this many bytes are kept at once.
const SMALL: u64 = 256 << 10;
/// Files that wait to be kept. When there are more, the program waits at the next one: each holds a
/// descriptor, and those are limited.
const MAXIMUM_WAITING: usize = 256;
/// Descriptors of referenced files that are held until the end, to see whether the file has changed by then.
/// Of files beyond that, a change after they were kept goes unnoticed until a replay checks them.
const MAXIMUM_HELD: usize = 256;

/// What the worker is to do.
enum Job {
    /// Keep a file that was met; `None` if its descriptor did not arrive.
    Keep(FileMessage, Option<File>),
    /// Keep a file that does not change.
    KeepSealed(FileMessage, Arc<Seal>),
    /// Make sure that the trace does not need the file any more, and release the seal.
    Settle(Arc<Seal>),
}

/// The files of a recording. Clones are the same.
#[derive(Clone)]
pub struct Files {
    directory: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    shelf: Mutex<Shelf>,
    seals: Seals,
    policy: Policy,
    /// The shelf's report has an error.
    failed: AtomicBool,
    /// Most programs need none, so it starts with the first large file.
    worker: Mutex<Option<Worker>>,
}

struct Worker {
    jobs: SyncSender<Job>,
    thread: JoinHandle<()>,
}

/// What is kept.
struct Shelf {
    keeper: Keeper,
    report: Report,
    /// Indices in the report's files, and the files.
    held: Vec<(usize, File)>,
    /// Sealed files, and under which indices they are in the report.
    sealed: Vec<(Arc<Seal>, Vec<usize>)>,
}

/// What became of the files.
#[derive(Default)]
pub struct Report {
    /// All files, in the order in which they were kept.
    pub files: Vec<ReferencedFile>,
    /// Bytes in `files/`.
    pub kept_bytes: u64,
    /// Why the trace could not be written, if so.
    pub error: Option<Error>,
}

impl Files {
    /// For the trace in `directory`.
    pub fn new(directory: &Path, policy: Policy, seals: Seals) -> Files {
        let keeper = Keeper::new(directory, policy);
        let (report, held, sealed) = (Report::default(), Vec::new(), Vec::new());
        let shelf = Mutex::new(Shelf { keeper, report, held, sealed });
        let shared =
            Shared { shelf, seals, policy, failed: AtomicBool::new(false), worker: Mutex::new(None) };
        Files { directory: directory.to_owned(), shared: Arc::new(shared) }
    }

    /// Keeps a file that the program has met, sooner or later. Waits if there are too many.
    pub fn keep(&self, message: FileMessage, file: Option<File>) {
        if message.size <= SMALL
            && let Ok(mut shelf) = self.shared.shelf.try_lock()
        {
            return self.shared.keep_in(&mut shelf, message, file);
        }
        self.give(Job::Keep(message, file));
    }

    /// Seals a file that the program wants to refer to, tells it whether that was possible, and keeps the file.
    pub fn seal(&self, message: FileMessage, file: Option<File>) {
        let Shared { seals, policy, .. } = &*self.shared;
        let seal = file.and_then(|file| seals.seal(&message, &file, policy.copy_limit));
        seals.answer(&message, seal.as_deref());
        if let Some(seal) = seal {
            self.give(Job::KeepSealed(message, seal));
        }
    }

    /// Somebody wants to write to a sealed file.
    pub fn settle_broken(&self) {
        for seal in self.shared.seals.take_broken() {
            self.give(Job::Settle(seal));
        }
    }

    /// Has the worker do something, sooner or later. Waits if there is too much.
    fn give(&self, job: Job) {
        match self.jobs() {
            // Refused only if the thread has ended in a panic, which `finish` notices.
            Ok(jobs) => drop(jobs.send(job)),
            Err(source) => {
                let path = self.directory.clone();
                let action = "start a thread that keeps files in";
                self.shared.fail(&mut lock(&self.shared.shelf), Error::System { action, path, source });
            }
        }
    }

    /// The way to the worker, which is started if it is not there.
    fn jobs(&self) -> io::Result<SyncSender<Job>> {
        let mut worker = lock(&self.shared.worker);
        if let Some(worker) = &*worker {
            return Ok(worker.jobs.clone());
        }
        let (jobs, receiver) = mpsc::sync_channel::<Job>(MAXIMUM_WAITING);
        let shared = self.shared.clone();
        let thread = thread::Builder::new().name("imitate-files".into()).spawn(move || {
            for job in receiver {
                let mut shelf = lock(&shared.shelf);
                match job {
                    Job::Keep(message, file) => shared.keep_in(&mut shelf, message, file),
                    Job::KeepSealed(message, seal) => shared.keep_sealed(&mut shelf, &message, seal),
                    Job::Settle(seal) => shared.settle(&mut shelf, &seal, true),
                }
            }
        })?;
        Ok(worker.insert(Worker { jobs, thread }).jobs.clone())
    }

    /// Whether files cannot be kept any more; [`Files::finish`] tells why.
    pub fn has_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }

    /// Waits until all files that were met before are kept. Those that are met later are not.
    pub fn finish(&self) -> Report {
        let worker = lock(&self.shared.worker).take();
        if let Some(Worker { jobs, thread }) = worker {
            // The thread ends when nobody can send any more.
            drop(jobs);
            // After a panic, the files that it did not keep are not in the report, and a replay says so.
            let _ = thread.join();
        }
        self.shared.failed.store(false, Ordering::Release);
        let mut shelf = lock(&self.shared.shelf);
        for seal in self.shared.seals.take_all() {
            self.shared.settle(&mut shelf, &seal, seal.is_wanted());
        }
        shelf.finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn keep_in(&self, shelf: &mut Shelf, message: FileMessage, file: Option<File>) {
        if shelf.report.error.is_some() {
            return;
        }
        let Some(file) = file else { return shelf.report.files.push(lost(&message)) };
        match shelf.keeper.keep(message.file, &file, Identity::from(&message)) {
            Ok(kept) => {
                if kept.kept == Kept::Reference && shelf.held.len() < MAXIMUM_HELD {
                    shelf.held.push((shelf.report.files.len(), file));
                }
                shelf.report.files.push(kept);
            }
            Err(error) => self.fail(shelf, error),
        }
    }

    fn keep_sealed(&self, shelf: &mut Shelf, message: &FileMessage, seal: Arc<Seal>) {
        if shelf.report.error.is_some() {
            return;
        }
        let next = shelf.report.files.len();
        let known = shelf.sealed.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &seal));
        let kept = match known {
            // Met by another process.
            Some((_, indices)) => {
                let first = shelf.report.files[indices[0]].clone();
                indices.push(next);
                Ok(ReferencedFile { id: message.file, ..first })
            }
            None => {
                shelf.sealed.push((seal.clone(), vec![next]));
                shelf.keeper.keep_anew(message.file, &seal.file, Identity::from(message))
            }
        };
        match kept {
            Ok(kept) => shelf.report.files.push(kept),
            Err(error) => self.fail(shelf, error),
        }
    }

    /// Ends a seal. If the file is `wanted`, or is not to be found where it was, the trace gets a copy before.
    fn settle(&self, shelf: &mut Shelf, seal: &Arc<Seal>, wanted: bool) {
        let place = shelf.sealed.iter().position(|(known, _)| Arc::ptr_eq(known, seal));
        let indices = place.map(|place| shelf.sealed.swap_remove(place).1).unwrap_or_default();
        // Without an entry if it could not be kept because of an error of the trace's.
        let first = indices.first().and_then(|&index| shelf.report.files.get(index)).cloned();
        let settled = first.map(|mut kept| {
            let error = match kept.kept == Kept::Reference && (wanted || !kept.is_in_place()) {
                true => shelf.keeper.secure(&seal.file, &mut kept).err(),
                false => None,
            };
            (kept.kept, kept.hash, error)
        });
        let in_time = self.seals.release(seal);
        let Some((kept, hash, error)) = settled else { return };
        let late =
            "somebody opened it for writing, and it could not be copied in the time that the kernel grants";
        let kept = if in_time { kept } else { Kept::Unavailable(late.into()) };
        for index in indices {
            if let Some(file) = shelf.report.files.get_mut(index) {
                (file.kept, file.hash) = (kept.clone(), hash.clone());
            }
        }
        if let Some(error) = error {
            self.fail(shelf, error);
        }
    }

    fn fail(&self, shelf: &mut Shelf, error: Error) {
        shelf.report.error = Some(error);
        self.failed.store(true, Ordering::Release);
    }
}

impl Shelf {
    fn finish(&mut self) -> Report {
        for (index, file) in self.held.drain(..) {
            let kept = &mut self.report.files[index];
            let now = file.metadata().map(|metadata| Identity::from(&metadata));
            if now.is_ok_and(|now| now != kept.identity) {
                kept.kept = Kept::Unavailable("it changed while the program was being recorded".into());
            }
        }
        self.report.kept_bytes = self.keeper.kept_bytes();
        std::mem::take(&mut self.report)
    }
}

/// A file whose descriptor the kernel did not hand over.
fn lost(message: &FileMessage) -> ReferencedFile {
    ReferencedFile {
        id: message.file,
        path: ByteString::default(),
        identity: Identity::from(message),
        hash: None,
        kept: Kept::Unavailable(
            "the writer had no file descriptor left for it (raise the hard limit of `ulimit -n`)".into(),
        ),
    }
}
