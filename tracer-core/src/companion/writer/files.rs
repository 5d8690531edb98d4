//! Files that the program only reads: they are kept on a thread of their own, so that rings never wait.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use crate::session::FileMessage;
use crate::trace::files::{Identity, Keeper, Kept, Policy, ReferencedFile};
use crate::trace::{Error, Result};

/// Descriptors of referenced files that are held until the end, to see whether the file has changed by then.
/// Of files beyond that, a change after they were kept goes unnoticed until a replay checks them.
const MAXIMUM_HELD: usize = 512;

/// A file to be kept, or the end.
type Job = Option<(FileMessage, File)>;

/// Where to send files.
#[derive(Clone)]
pub struct Inbox(mpsc::Sender<Job>);

impl Inbox {
    /// Hands a file over.
    pub fn send(&self, message: FileMessage, file: File) {
        // Refused only when the thread has ended on a failure, which it reports.
        let _ = self.0.send(Some((message, file)));
    }
}

/// The thread that keeps files.
pub struct FileThread {
    thread: JoinHandle<Report>,
    inbox: Inbox,
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

impl FileThread {
    /// Starts the thread.
    pub fn start(directory: &Path, policy: Policy) -> io::Result<FileThread> {
        let (sender, receiver) = mpsc::channel();
        let keeper = Keeper::new(directory, policy);
        let thread = thread::Builder::new()
            .name("imitate-files".into())
            // Ends at the first `None`.
            .spawn(move || keep_all(keeper, receiver.into_iter().map_while(|job: Job| job)))?;
        Ok(FileThread { thread, inbox: Inbox(sender) })
    }

    /// Where to send files.
    pub fn inbox(&self) -> Inbox {
        self.inbox.clone()
    }

    /// Whether it gave up because the trace cannot be written; [`FileThread::finish`] tells why.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits until all files that were sent before are kept.
    pub fn finish(self) -> Report {
        let _ = self.inbox.0.send(None);
        self.thread.join().unwrap_or_default()
    }
}

fn keep_all(mut keeper: Keeper, messages: impl Iterator<Item = (FileMessage, File)>) -> Report {
    let mut report = Report::default();
    let mut held: Vec<(usize, File)> = Vec::new();
    for (message, file) in messages {
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
