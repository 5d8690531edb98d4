//! Who the streams of a trace are: processes and threads, who created whom, what they ran, how they ended.
//!
//! All of it is found in the events, since a trace whose recorder was killed has no more; only how a process ended is
//! taken from the manifest where that knows, because a fatal signal is seen by whoever waits. Nothing is trusted: a
//! stream is a child only of a lower one, so that there are no cycles, and of the first that claims it.

use super::recording::Recording;
use crate::status::Ending;
use std::borrow::Cow;
use std::collections::BTreeMap;
use tracer_core::event::{Kind, flags};
use tracer_core::trace::manifest::ProcessEnded;
use tracer_core::trace::reader::{Body, Event, Item};

/// One stream: a thread, or the first thread of a process.
#[derive(Default)]
pub struct Member {
    /// Process id, as the program saw it; 0 if the trace does not say.
    pub process: u32,
    /// Thread id, as the program saw it; 0 if the trace does not say.
    pub thread: u32,
    /// The stream that created it.
    pub creator: Option<u32>,
    /// It is a thread of its creator's process.
    pub is_thread: bool,
    /// The name that the thread was given.
    pub name: Option<Vec<u8>>,
    /// What it executed; for a fork's child, first what its parent ran.
    pub images: Vec<Image>,
    /// Events in the stream.
    pub events: u64,
    /// How often it got the right to run.
    pub turns: u64,
    /// How it ended.
    pub end: End,
}

impl Member {
    /// The name of the thread or of what it ran last, for where there is little room.
    pub fn short_name(&self) -> String {
        let image = self.images.last().map(|image| image.executable.rsplit('/').next().unwrap_or_default());
        match (&self.name, image) {
            (Some(name), _) => text(name),
            (None, Some(image)) if !self.is_thread => image.to_owned(),
            (None, Some(image)) => format!("{image} thread"),
            (None, None) => "?".to_owned(),
        }
    }
}

/// A program that ran.
#[derive(Clone, Default, serde::Serialize)]
pub struct Image {
    /// Path.
    pub executable: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// How a stream ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It, or its process, ended so.
    Ended(Ending),
    /// The thread ended by itself.
    ThreadExited,
    /// What it executed last was not recorded.
    Unrecorded,
    /// Something else, in words.
    Otherwise(String),
    /// The trace has nothing more of it.
    #[default]
    Unknown,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Ended(ending) => write!(f, "{ending}"),
            End::ThreadExited => f.write_str("thread ended"),
            End::Unrecorded => f.write_str("unrecorded from there on"),
            End::Otherwise(how) => f.write_str(how),
            End::Unknown => f.write_str("the trace ends there"),
        }
    }
}

/// All streams of a trace.
pub struct Family {
    /// By number.
    pub members: BTreeMap<u32, Member>,
}

impl Family {
    /// Reads all of a trace. A stream that is damaged counts up to there, and its end says so.
    pub fn of(recording: &Recording) -> Family {
        let mut family = Family { members: BTreeMap::new() };
        for stream in recording.streams() {
            family.members.entry(stream).or_default();
            let mut names = Names::default();
            for event in recording.events(stream).into_iter().flatten() {
                match event {
                    Ok(event) => family.learn(stream, &event, &mut names),
                    Err(error) => family.member(stream).end = End::Otherwise(error.to_string()),
                }
            }
        }
        family.settle(recording);
        family
    }

    fn member(&mut self, stream: u32) -> &mut Member {
        self.members.entry(stream).or_default()
    }

    /// Process id, thread id, and name of a stream's thread.
    pub fn who(&self, stream: u32) -> (u32, u32, String) {
        let member = self.members.get(&stream);
        member.map_or_else(Default::default, |member| (member.process, member.thread, member.short_name()))
    }

    /// The first thread of the process that `stream` is of.
    pub fn leader(&self, mut stream: u32) -> u32 {
        // A creator's number is lower: this ends.
        while let Some(Member { is_thread: true, creator: Some(creator), .. }) = self.members.get(&stream) {
            stream = *creator;
        }
        stream
    }

    fn learn(&mut self, stream: u32, event: &Event, names: &mut Names) {
        let member = self.member(stream);
        member.events += 1;
        member.end = End::Unknown;
        match &event.body {
            Body::Start { items } => {
                let mut image = Image::default();
                for item in items.iter() {
                    match item {
                        Item::Executable { path } => image.executable = text(path),
                        Item::Arguments { strings } => image.arguments = strings.map(text).collect(),
                        Item::Identity { identity } => {
                            (member.process, member.thread) = (identity.process, identity.thread);
                        }
                        _ => {}
                    }
                }
                member.name = None;
                member.images.push(image);
            }
            Body::Turn { .. } => member.turns += 1,
            Body::Signal { .. } => {
                // If nothing follows, it was deadly.
                member.end = End::Ended(Ending::Killed(event.number.into()));
            }
            Body::Call { result, arguments, items } => {
                let first = arguments.first().copied().unwrap_or(0);
                let status = || Ending::Exited((first & 0xff) as i32);
                match i64::from(event.number) {
                    _ if event.flags & flags::UNRECORDED != 0 => member.end = End::Unrecorded,
                    libc::SYS_exit_group if event.kind == Kind::Entry => member.end = End::Ended(status()),
                    libc::SYS_exit if event.kind == Kind::Entry => member.end = End::ThreadExited,
                    _ => {}
                }
                let created = items.iter().find_map(|item| match item {
                    Item::Stream { stream } => Some(stream),
                    _ => None,
                });
                if let Some(created) = created {
                    let thread = clone_flags(event, first) & libc::CLONE_THREAD as u64 != 0;
                    self.created(stream, created, *result as u32, thread);
                }
                if let Some((id, name)) = names.learn(event.number, *result, arguments, event) {
                    self.rename(stream, id, name);
                }
            }
            _ => {}
        }
    }

    fn created(&mut self, creator: u32, created: u32, id: u32, is_thread: bool) {
        let own = self.member(creator);
        let (process, image) = (own.process, own.images.last().cloned());
        let known = self.members.get(&created).is_some_and(|member| member.creator.is_some());
        if created <= creator || known {
            return;
        }
        // A child runs what its parent runs, not what that ran before.
        let member = self.member(created);
        (member.creator, member.is_thread, member.thread) = (Some(creator), is_thread, id);
        member.process = if is_thread { process } else { id };
        member.images = image.into_iter().collect();
    }

    /// A thread of the process of `stream` gets a name: the one with this id, or `stream` itself.
    fn rename(&mut self, stream: u32, id: Option<u32>, name: Vec<u8>) {
        let process = self.member(stream).process;
        let named = match id {
            None => Some(stream),
            Some(id) => {
                let mut all = self.members.iter();
                all.find(|(_, member)| member.thread == id && member.process == process).map(|found| *found.0)
            }
        };
        if let Some(named) = named {
            self.member(named).name = Some(name);
        }
    }

    /// What can only be said once all streams are read.
    fn settle(&mut self, recording: &Recording) {
        for process in &recording.manifest.processes {
            let Some(member) = self.members.get_mut(&process.stream) else { continue };
            match &process.ended {
                ProcessEnded::Exited(status) => member.end = End::Ended(Ending::Exited((*status).into())),
                ProcessEnded::Signalled(signal) => {
                    member.end = End::Ended(Ending::Killed((*signal).into()));
                }
                ProcessEnded::CutShort(reason) if matches!(member.end, End::Unknown) => {
                    member.end = End::Otherwise(reason.clone());
                }
                ProcessEnded::Unrecorded(_) => member.end = End::Unrecorded,
                ProcessEnded::Replaced | ProcessEnded::CutShort(_) => {}
            }
        }
        let ends: Vec<_> = self.members.keys().map(|&stream| (stream, self.leader(stream))).collect();
        for (stream, leader) in ends {
            let ended = matches!(self.member(leader).end, End::Ended(_));
            let member = self.member(stream);
            if stream != leader && ended && member.end == End::Unknown {
                member.end = End::Otherwise("ended with its process".into());
            }
        }
    }
}

/// Threads' names, from prctl and from what is written to /proc/PID/task/TID/comm.
#[derive(Default)]
struct Names {
    /// The descriptor of such a file that was opened last, and the thread's id.
    open: Option<(u64, u32)>,
}

impl Names {
    /// The name that a call gives, and the id of the thread that gets it, if that is not the caller.
    fn learn(
        &mut self,
        number: u16,
        result: i64,
        arguments: &[u64],
        event: &Event,
    ) -> Option<(Option<u32>, Vec<u8>)> {
        let first = *arguments.first()?;
        match (i64::from(number), event.items().iter().next()) {
            (libc::SYS_prctl, Some(Item::Text { text, .. })) if first == libc::PR_SET_NAME as u64 => {
                // The kernel keeps 15 bytes.
                Some((None, text[..text.len().min(15)].to_vec()))
            }
            (libc::SYS_openat, Some(Item::Text { text, .. })) if result >= 0 => {
                let path = std::str::from_utf8(text).ok()?.strip_suffix("/comm")?;
                let id = path.strip_prefix("/proc/")?.rsplit_once("/task/")?.1.parse().ok()?;
                self.open = Some((result as u64, id));
                None
            }
            (libc::SYS_write, Some(Item::Input { prefix, .. })) => {
                let (_, id) = self.open.take_if(|(descriptor, _)| *descriptor == first)?;
                Some((Some(id), prefix[..prefix.len().min(15)].trim_ascii_end().to_vec()))
            }
            _ => None,
        }
    }
}

/// What a program called itself, as text that cannot reach the terminal's controls.
pub fn text(bytes: &[u8]) -> String {
    readable(bytes).into_owned()
}

/// The same, without a copy of what is such text already.
pub fn readable(bytes: &[u8]) -> Cow<'_, str> {
    // Of nearly all, which the lossy conversion would look at byte by byte.
    match std::str::from_utf8(bytes) {
        Ok(text) => shown(text),
        Err(_) => shown(&String::from_utf8_lossy(bytes)).into_owned().into(),
    }
}

/// The same of what is text already.
pub fn shown(text: &str) -> Cow<'_, str> {
    // Nearly all are so, which is found many bytes at a time if the first other one does not end the search.
    if text.bytes().fold(true, |all, byte| all & matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The flags of a call that creates a thread or process; clone3's are the first word of its structure.
fn clone_flags(event: &Event, first: u64) -> u64 {
    match i64::from(event.number) {
        libc::SYS_clone => first,
        libc::SYS_clone3 => {
            let words = event.items().iter().filter_map(|item| match item {
                Item::Input { prefix, .. } => prefix.first_chunk(),
                _ => None,
            });
            words.map(|flags| u64::from_le_bytes(*flags)).next().unwrap_or(0)
        }
        _ => 0,
    }
}
