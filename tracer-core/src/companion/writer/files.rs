//! Files that the program only reads: they are kept on a thread of their own, so that rings never wait.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::session::FileMessage;
use crate::trace::byte_string::ByteString;
use crate::trace::files::{Identity, Keeper, Kept, Policy, ReferencedFile};
use crate::trace::{Error, Result};

/// Files that wait to be kept. When there are more, the program waits at the next one: each holds a
/// descriptor, and those are limited.
const MAXIMUM_WAITING: usize = 256;
/// Descriptors of referenced files that are held until the end, to see whether the file has changed by then.
/// Of files beyond that, a change after they were kept goes unnoticed until a replay checks them.
const MAXIMUM_HELD: usize = 256;

/// A file that was met; `None` if its descriptor did not arrive.
type Job = (FileMessage, Option<File>);

/// The files of a recording. Clones are the same.
#[derive(Clone)]
pub struct Files {
    directory: PathBuf,
    policy: Policy,
    worker: Arc<Mutex<Worker>>,
}

#[derive(Default)]
enum Worker {
    /// Most programs need none, so the thread starts with the first file.
    #[default]
    None,
    Working {
        jobs: SyncSender<Job>,
        thread: JoinHandle<Report>,
    },
    Failed(io::Error),
}

/// What became of the files.
#[derive(Default)]
pub struct Report {
    /// All files, in the order in which the program met them.
    pub files: Vec<ReferencedFile>,
    /// Bytes in `files/`.
    pub kept_bytes: u64,
    /// Why the trace could not be written, if so.
    pub error: Option<Error>,
}

impl Files {
    /// For the trace in `directory`.
    pub fn new(directory: &Path, policy: Policy) -> Files {
        Files { directory: directory.to_owned(), policy, worker: Arc::default() }
    }

    /// Keeps a file that the program has met, sooner or later. Waits if there are too many.
    pub fn keep(&self, message: FileMessage, file: Option<File>) {
        let jobs = {
            let mut worker = self.worker();
            if let Worker::None = *worker {
                *worker = self.start().unwrap_or_else(Worker::Failed);
            }
            match &*worker {
                Worker::Working { jobs, .. } => jobs.clone(),
                _ => return,
            }
        };
        // Refused only when the thread has ended on a failure, which it reports.
        let _ = jobs.send((message, file));
    }

    fn worker(&self) -> MutexGuard<'_, Worker> {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self) -> io::Result<Worker> {
        let (jobs, receiver) = mpsc::sync_channel(MAXIMUM_WAITING);
        let keeper = Keeper::new(&self.directory, self.policy);
        let thread = thread::Builder::new()
            .name("imitate-files".into())
            .spawn(move || keep_all(keeper, receiver.into_iter()))?;
        Ok(Worker::Working { jobs, thread })
    }

    /// Whether files cannot be kept any more; [`Files::finish`] tells why.
    pub fn has_failed(&self) -> bool {
        match &*self.worker() {
            Worker::None => false,
            Worker::Working { thread, .. } => thread.is_finished(),
            Worker::Failed(_) => true,
        }
    }

    /// Waits until all files that were met before are kept.
    pub fn finish(&self) -> Report {
        let worker = std::mem::take(&mut *self.worker());
        match worker {
            Worker::None => Report::default(),
            Worker::Working { jobs, thread } => {
                // The thread ends when nobody can send any more.
                drop(jobs);
                thread.join().unwrap_or_default()
            }
            Worker::Failed(source) => {
                let path = self.directory.clone();
                let error = Error::System { action: "start a thread that keeps files in", path, source };
                Report { error: Some(error), ..Report::default() }
            }
        }
    }
}

fn keep_all(mut keeper: Keeper, jobs: impl Iterator<Item = Job>) -> Report {
    let mut report = Report::default();
    let mut held: Vec<(usize, File)> = Vec::new();
    for (message, file) in jobs {
        let Some(file) = file else {
            report.files.push(lost(&message));
            continue;
        };
        let kept: Result<ReferencedFile> = keeper.keep(message.file, &file, Identity::from(&message));
        match kept {
            Ok(kept) => {
                if kept.kept == Kept::Reference && held.len() < MAXIMUM_HELD {
                    held.push((report.files.len(), file));
                }
                report.files.push(kept);
            }
            Err(error) => {
                report.error = Some(error);
                break;
            }
        }
    }
    for (index, file) in held {
        let kept = &mut report.files[index];
        let now = file.metadata().map(|metadata| Identity::from(&metadata));
        if now.is_ok_and(|now| now != kept.identity) {
            kept.kept = Kept::Unavailable("it changed while the program was being recorded".into());
        }
    }
    report.kept_bytes = keeper.kept_bytes();
    report
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
