//! What the events say, in passing, about the recording's processes: the manifest's table of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{FileRange, Header, ImageIdentity, InputSummary, ItemHeader, Kind, Tag, flags};
use crate::trace::byte_string::ByteString;
use crate::trace::manifest::{Process, ProcessEnded};

use super::scanner::Sink;

/// A process image: what runs from one exec to the next.
#[derive(Default)]
struct Image {
    process: u32,
    executable: ByteString,
    arguments: Vec<ByteString>,
    /// Number of events before its first.
    first_event: u64,
}

/// Where a stream comes from.
#[derive(Clone, Copy)]
struct Origin {
    parent: u32,
    /// The image of the parent's process that made the call, by its place in that stream's images.
    image: usize,
    /// The id that the creating call returned.
    id: u32,
    /// It is a thread of its parent's process, not a process.
    thread: bool,
}

/// How a stream's bytes ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Its thread said so.
    Orderly,
    /// Its process ended without saying so: it was killed.
    Killed,
    /// Its bytes are no events any more, for this reason.
    Damaged(String),
}

#[derive(Default)]
struct StreamFacts {
    images: Vec<Image>,
    events: u64,
    /// From an `exit_group` of any of the process's threads (kept with the process's stream).
    exit_status: Option<u8>,
    /// From the parent's wait.
    wait_status: Option<i32>,
    /// It was about to become an image that cannot be recorded; its path.
    unrecorded: Option<ByteString>,
    end: Option<StreamEnd>,
    // What the current event has said so far.
    event: Kept,
}

/// The parts of an event that its later items are interpreted with.
#[derive(Default)]
struct Kept {
    result: i64,
    first_argument: u64,
    /// From the structure that clone3 reads.
    clone_flags: u64,
}

/// All facts.
#[derive(Default)]
pub struct Facts {
    streams: BTreeMap<u32, StreamFacts>,
    origins: BTreeMap<u32, Origin>,
    /// Paths of the files that were mapped executable.
    objects: BTreeSet<Vec<u8>>,
    notes: Vec<String>,
    bytes_returned: u64,
    /// Process ids may mean something else to a process of the recording than to us.
    pub foreign_ids: bool,
}

/// [`Sink`] for one stream's events.
pub struct StreamSink<'a> {
    /// The stream's number.
    pub stream: u32,
    /// Where to note what they say.
    pub facts: &'a mut Facts,
}

impl Facts {
    /// Bytes that the recorded calls returned in memory.
    pub fn bytes_returned(&self) -> u64 {
        self.bytes_returned
    }

    /// Events of all streams.
    pub fn events(&self) -> u64 {
        self.streams.values().map(|stream| stream.events).sum()
    }

    /// Streams of which anything was recorded.
    pub fn streams(&self) -> u32 {
        self.streams.len() as u32
    }

    /// Paths of the files that were mapped executable, as /proc/PID/maps has them.
    pub fn objects(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.objects.iter().map(Vec::as_slice)
    }

    /// Messages that the library logged for the reader of the trace.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Notes how many events a stream has so far.
    pub fn count_events(&mut self, stream: u32, events: u64) {
        self.streams.entry(stream).or_default().events = events;
    }

    /// Notes how a stream ended.
    pub fn end_stream(&mut self, stream: u32, end: StreamEnd) {
        self.streams.entry(stream).or_default().end = Some(end);
    }

    /// The first stream that was cut short, and why. A child that its parent has seen killed is none of them:
    /// nothing of it is missing.
    pub fn first_cut(&self) -> Option<(u32, String)> {
        let incomplete = |(number, stream): &(&u32, &StreamFacts)| **number == 0 || !stream.was_seen_killed();
        self.streams
            .iter()
            .filter(incomplete)
            .find_map(|(&number, stream)| Some((number, stream.cut_short()?)))
    }

    /// Notes how the first process ended, as the launcher was told by the kernel.
    pub fn root_ended(&mut self, wait_status: i32) {
        self.streams.entry(0).or_default().wait_status = Some(wait_status);
    }

    /// The stream of the first thread of `stream`'s process.
    fn process_stream(&self, mut stream: u32) -> u32 {
        while let Some(origin) = self.origins.get(&stream).filter(|origin| origin.thread) {
            stream = origin.parent;
        }
        stream
    }

    /// The stream of the process that `parent`'s process knows as `id`: the one that was created last, since
    /// ids are used again.
    fn child(&self, parent: u32, id: u32) -> Option<u32> {
        let parent = self.process_stream(parent);
        let is_it = |origin: &Origin| {
            !origin.thread && origin.id == id && self.process_stream(origin.parent) == parent
        };
        self.origins.iter().rev().find(|(_, origin)| is_it(origin)).map(|(&stream, _)| stream)
    }

    /// The manifest's table, in the order of the streams' numbers, which is the order of their creation.
    pub fn processes(&self) -> Vec<Process> {
        let mut table = Vec::new();
        for (&number, stream) in &self.streams {
            let origin = self.origins.get(&number);
            if origin.is_some_and(|origin| origin.thread) {
                continue;
            }
            let inherited = origin.map(|origin| self.image_at_fork(*origin));
            // A fork's child runs its parent's image until it calls exec. One that does so before it did
            // anything else (a vfork's child) is not worth an entry.
            let own_start = stream.images.first().is_some_and(|image| image.first_event == 0);
            let images: Vec<&Image> =
                inherited.iter().filter(|_| !own_start).chain(stream.images.iter()).collect();
            for (at, image) in images.iter().enumerate() {
                let next = images.get(at + 1);
                let until = next.map_or(stream.events, |next| next.first_event);
                table.push(Process {
                    stream: number,
                    process_id: image.process,
                    parent_stream: origin.map(|origin| self.process_stream(origin.parent)),
                    executable: image.executable.clone(),
                    arguments: image.arguments.clone(),
                    ended: if next.is_some() { ProcessEnded::Replaced } else { stream.ended() },
                    events: until - image.first_event,
                });
            }
            if let Some(path) = &stream.unrecorded {
                if let Some(last) = table.last_mut().filter(|last| last.stream == number) {
                    last.ended = ProcessEnded::Replaced;
                }
                table.push(Process {
                    stream: number,
                    process_id: origin.map_or(0, |origin| origin.id),
                    parent_stream: origin.map(|origin| self.process_stream(origin.parent)),
                    executable: path.clone(),
                    arguments: Vec::new(),
                    ended: ProcessEnded::Unrecorded("the library cannot be loaded into this program".into()),
                    events: 0,
                });
            }
        }
        table
    }

    fn image_at_fork(&self, origin: Origin) -> Image {
        let mut ancestor = origin;
        let image = loop {
            let parent = self.process_stream(ancestor.parent);
            let images = self.streams.get(&parent).map_or(&[][..], |facts| &facts.images);
            // A parent without images of its own runs its own parent's.
            match (images.get(ancestor.image), self.origins.get(&parent)) {
                (None, Some(further)) => ancestor = *further,
                (image, _) => break image,
            }
        };
        Image {
            process: origin.id,
            executable: image.map_or_else(Default::default, |image| image.executable.clone()),
            arguments: image.map_or_else(Default::default, |image| image.arguments.clone()),
            first_event: 0,
        }
    }
}

impl StreamFacts {
    fn ended(&self) -> ProcessEnded {
        if let Some(status) = self.wait_status {
            if libc::WIFSIGNALED(status) {
                return ProcessEnded::Signalled(libc::WTERMSIG(status) as u8);
            }
            if libc::WIFEXITED(status) {
                return ProcessEnded::Exited(libc::WEXITSTATUS(status) as u8);
            }
        }
        match (self.exit_status, self.cut_short(), &self.end) {
            (Some(status), ..) => ProcessEnded::Exited(status),
            (None, Some(reason), _) => ProcessEnded::CutShort(reason),
            (None, None, Some(_)) => ProcessEnded::CutShort("it ended without saying how".into()),
            (None, None, None) => ProcessEnded::CutShort("it was still running".into()),
        }
    }

    /// Whether it ended by a signal that its parent was told of.
    fn was_seen_killed(&self) -> bool {
        matches!(self.end, Some(StreamEnd::Killed))
            && self.wait_status.is_some_and(|status| libc::WIFSIGNALED(status))
    }

    /// Why the stream was cut short, if it was.
    fn cut_short(&self) -> Option<String> {
        let signal = self.wait_status.filter(|&status| libc::WIFSIGNALED(status));
        match (&self.end, signal) {
            (Some(StreamEnd::Killed), Some(status)) => {
                Some(format!("its process was killed by signal {}", libc::WTERMSIG(status)))
            }
            (Some(StreamEnd::Killed), None) => Some("its process was killed".into()),
            (Some(StreamEnd::Damaged(reason)), _) => Some(reason.clone()),
            (Some(StreamEnd::Orderly) | None, _) => None,
        }
    }
}

impl StreamSink<'_> {
    fn stream(&mut self) -> &mut StreamFacts {
        self.facts.streams.entry(self.stream).or_default()
    }

    fn image(&mut self) -> Option<&mut Image> {
        self.stream().images.last_mut()
    }
}

impl Sink for StreamSink<'_> {
    fn start(&mut self, index: u64) {
        let stream = self.stream();
        stream.unrecorded = None;
        stream.images.push(Image { first_event: index, ..Image::default() });
    }

    fn wants_call(&self, event: Header) -> bool {
        let number = i64::from(event.number);
        matches!(number, libc::SYS_execve | libc::SYS_execveat | libc::SYS_unshare | libc::SYS_setns)
    }

    fn call(&mut self, header: Header, result: i64, arguments: &[u64]) {
        let first = arguments.first().copied().unwrap_or(0);
        let entry = header.kind == Kind::Entry as u8;
        let stream = self.stream();
        stream.event.result = result;
        stream.event.first_argument = first;
        match i64::from(header.number) {
            libc::SYS_exit_group | libc::SYS_exit if entry => {
                // A thread's exit ends the process only if it is the last one's; then it is the status.
                let process = self.facts.process_stream(self.stream);
                self.facts.streams.entry(process).or_default().exit_status = Some(first as u8);
            }
            libc::SYS_execve | libc::SYS_execveat if !entry => stream.unrecorded = None,
            libc::SYS_unshare if first & libc::CLONE_NEWPID as u64 != 0 => self.facts.foreign_ids = true,
            libc::SYS_setns => self.facts.foreign_ids = true,
            _ => {}
        }
    }

    fn wants(&self, event: Header, item: ItemHeader) -> bool {
        match (Tag::from_byte(item.tag), Kind::from_byte(event.kind)) {
            (Some(Tag::Executable | Tag::Arguments | Tag::Maps | Tag::Identity), Some(Kind::Start)) => true,
            (Some(Tag::OutputFile | Tag::MapFile), _) => item.length as usize == size_of::<FileRange>(),
            (Some(Tag::Text), Some(Kind::Note)) => true,
            (Some(Tag::Text), Some(Kind::Entry)) => event.flags & flags::UNRECORDED != 0,
            (Some(Tag::Input), _) => i64::from(event.number) == libc::SYS_clone3,
            (Some(Tag::Output), _) => match i64::from(event.number) {
                libc::SYS_wait4 => item.argument == 1 && item.length == 4,
                libc::SYS_waitid => item.argument == 2 && item.length as usize >= size_of::<WaitedFor>(),
                _ => false,
            },
            _ => false,
        }
    }

    fn item(&mut self, event: Header, item: ItemHeader, data: &[u8]) {
        let number = i64::from(event.number);
        match Tag::from_byte(item.tag) {
            Some(Tag::Output) => {
                self.facts.bytes_returned += u64::from(item.length);
                let waited = match number {
                    libc::SYS_wait4 => data
                        .first_chunk()
                        .map(|status| (self.stream().event.result as u32, i32::from_le_bytes(*status))),
                    libc::SYS_waitid => data.first_chunk().and_then(waited_for),
                    _ => None,
                };
                if let Some((id, status)) = waited {
                    self.child_ended(id, status);
                }
            }
            Some(Tag::OutputFile) => self.facts.bytes_returned += word(data, 2).unwrap_or(0),
            Some(Tag::Input) => {
                self.stream().event.clone_flags = word(data, size_of::<InputSummary>() / 8).unwrap_or(0);
            }
            Some(Tag::Stream) => self.created(number, item.value as u32),
            Some(Tag::Executable) => {
                if let Some(image) = self.image() {
                    image.executable = data.into();
                }
            }
            Some(Tag::Arguments) => {
                if let Some(image) = self.image() {
                    image.arguments = strings(data);
                }
            }
            Some(Tag::Identity) if data.len() >= size_of::<ImageIdentity>() => {
                let process = word(data, 0).unwrap_or(0) as u32;
                if let Some(image) = self.image() {
                    image.process = process;
                }
            }
            Some(Tag::Maps) => self.facts.objects.extend(executable_files(data).map(<[u8]>::to_vec)),
            Some(Tag::Text) if event.kind == Kind::Note as u8 => {
                self.facts.notes.push(format!("stream {}: {}", self.stream, String::from_utf8_lossy(data)));
            }
            Some(Tag::Text) if event.flags & flags::UNRECORDED != 0 => {
                self.stream().unrecorded = Some(data.into());
            }
            _ => {}
        }
    }
}

impl StreamSink<'_> {
    /// The stream's process was told that its child `id` has this wait status.
    fn child_ended(&mut self, id: u32, status: i32) {
        if (libc::WIFEXITED(status) || libc::WIFSIGNALED(status))
            && let Some(child) = self.facts.child(self.stream, id)
        {
            self.facts.streams.entry(child).or_default().wait_status = Some(status);
        }
    }

    /// The current event, a call of `number`, has created stream `created`.
    fn created(&mut self, number: i64, created: u32) {
        let stream = self.stream();
        let clone_flags = match number {
            libc::SYS_clone => stream.event.first_argument,
            libc::SYS_clone3 => stream.event.clone_flags,
            _ => 0,
        };
        let id = stream.event.result as u32;
        let thread = clone_flags & libc::CLONE_THREAD as u64 != 0;
        let process = self.facts.streams.get(&self.facts.process_stream(self.stream));
        let image = process.map_or(0, |process| process.images.len().saturating_sub(1));
        self.facts.origins.insert(created, Origin { parent: self.stream, image, id, thread });
        self.facts.foreign_ids |= clone_flags & libc::CLONE_NEWPID as u64 != 0;
    }
}

/// The part of a `siginfo_t` that waitid fills, 4 bytes each: signal, error, code, padding, process, user,
/// status.
type WaitedFor = [u8; 28];

/// The child's id and its wait status as wait4 would tell it, if it has ended.
fn waited_for(information: &WaitedFor) -> Option<(u32, i32)> {
    let number = |index: usize| i32::from_le_bytes(std::array::from_fn(|byte| information[index * 4 + byte]));
    let (code, process, status) = (number(2), number(4), number(6));
    let status = match code {
        libc::CLD_EXITED => (status & 0xff) << 8,
        libc::CLD_KILLED | libc::CLD_DUMPED => status & 0x7f,
        _ => return None,
    };
    Some((process as u32, status))
}

/// The little-endian 8-byte number at `index`.
fn word(data: &[u8], index: usize) -> Option<u64> {
    data.as_chunks::<8>().0.get(index).map(|&bytes| u64::from_le_bytes(bytes))
}

/// The strings of a block in which each is ended by NUL.
pub fn strings(block: &[u8]) -> Vec<ByteString> {
    let block = block.strip_suffix(b"\0").unwrap_or(block);
    if block.is_empty() {
        return Vec::new();
    }
    block.split(|&byte| byte == 0).map(ByteString::from).collect()
}

/// Paths of the files that are mapped executable, from the text of /proc/PID/maps.
fn executable_files(maps: &[u8]) -> impl Iterator<Item = &[u8]> {
    maps.split(|&byte| byte == b'\n').filter_map(|line| {
        // address, permissions, offset, device, inode, path; the path may hold spaces.
        let mut fields = line.splitn(6, |&byte| byte == b' ');
        let permissions = fields.nth(1)?;
        let path = fields.nth(3)?.trim_ascii_start();
        (permissions.get(2) == Some(&b'x') && path.starts_with(b"/")).then_some(path)
    })
}
