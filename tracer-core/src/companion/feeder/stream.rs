//! One stream on its way from the trace to its ring.

use std::collections::VecDeque;
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Trace, read_exact};
use crate::companion::futex::SystemFutex;
use crate::companion::memory::RingMapping;
use crate::companion::wake::{Bell, CompanionSide};
use crate::event::{FileRange, Header, ItemHeader, Kind, Tag, flags, padded};
use crate::ring::Producer;
use crate::session::{RING_SIZE, Slot};
use crate::trace::chunk::{Index, StreamReader};
use crate::trace::files::Resolved;
use crate::trace::{Error, Result};

/// What the program gets next.
enum Segment {
    /// These bytes, from the first number on.
    Bytes(usize, Vec<u8>),
    /// Bytes of a file: from this offset, so many.
    File(Rc<Resolved>, u64, u64),
}

/// A stream that is being fed.
pub struct Stream {
    number: u32,
    producer: Producer,
    /// `None` when it was read to its end.
    reader: Option<StreamReader>,
    /// The beginning of an event whose end is in a later chunk.
    rest: Vec<u8>,
    segments: VecDeque<Segment>,
    /// Events that were turned into segments.
    events: u64,
    ended: bool,
}

impl Stream {
    /// Stream `number` of the trace that `index` belongs to, for `slot`.
    ///
    /// # Safety
    /// `slot` and its ring `ring` stay mapped for as long as the result is used; nobody else produces.
    pub unsafe fn new(number: u32, slot: &Slot, ring: &RingMapping, index: &Index) -> Stream {
        Stream {
            number,
            // SAFETY: passed on to the caller.
            producer: unsafe { Producer::new(slot, ring.base()) },
            reader: index.stream(number),
            rest: Vec::new(),
            segments: VecDeque::new(),
            events: 0,
            ended: false,
        }
    }

    /// Puts as much into the ring as there is room for. Returns whether anything was.
    pub fn fill(&mut self, slot: &Slot, trace: &mut Trace) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let futex = SystemFutex::new(Duration::ZERO, None);
        let side = CompanionSide::new(futex);
        let mut moved = false;
        while self.producer.free(RING_SIZE) > 0 {
            if self.segments.is_empty() && !self.prepare(trace)? {
                self.ended = true;
                slot.at_end.store(1, Ordering::Release);
                moved = true;
                break;
            }
            self.put(&side)?;
            moved = true;
        }
        if moved {
            Bell::of_program(slot).ring(&futex);
        }
        Ok(moved)
    }

    /// Puts some of the first segment into the ring.
    fn put(&mut self, side: &CompanionSide<SystemFutex>) -> Result<()> {
        let free = self.producer.free(RING_SIZE);
        let (length, over) = match self.segments.front() {
            Some(Segment::Bytes(from, bytes)) => (free.min(bytes.len() - from), free >= bytes.len() - from),
            Some(Segment::File(_, _, rest)) => (free.min(*rest as usize), free as u64 >= *rest),
            None => return Ok(()),
        };
        let Some(target) = self.producer.reserve(length, side) else { return Ok(()) };
        // SAFETY: reserve gave `length` writable bytes of shared memory that the consumer leaves alone until
        // they are published.
        let target = unsafe { std::slice::from_raw_parts_mut(target, length) };
        match self.segments.front_mut() {
            Some(Segment::Bytes(from, bytes)) => {
                target.copy_from_slice(&bytes[*from..*from + length]);
                *from += length;
            }
            Some(Segment::File(file, offset, rest)) => {
                read_exact(file, target, *offset)?;
                *offset += length as u64;
                *rest -= length as u64;
            }
            None => {}
        }
        self.producer.advance(length);
        self.producer.publish(side);
        if over {
            self.segments.pop_front();
        }
        Ok(())
    }

    /// Turns the next events into segments. False at the stream's end; an event that the recording's end cut
    /// in two is left out.
    fn prepare(&mut self, trace: &mut Trace) -> Result<bool> {
        while self.segments.is_empty() {
            let Some(reader) = &mut self.reader else { return Ok(false) };
            let Some(chunk) = reader.next_chunk()? else {
                self.reader = None;
                return Ok(false);
            };
            let mut batch =
                Batch { stream: self.number, events: &mut self.events, segments: &mut self.segments, trace };
            // Most chunks begin and end with an event.
            if self.rest.is_empty() {
                let used = batch.add_events(chunk)?;
                self.rest.extend_from_slice(&chunk[used..]);
            } else {
                self.rest.extend_from_slice(chunk);
                let used = batch.add_events(&self.rest)?;
                self.rest.drain(..used);
            }
        }
        Ok(true)
    }
}

/// The first event of `bytes`, if it is there as a whole.
fn first_event(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let header = Header::from_bytes(*bytes.first_chunk()?);
    let body = bytes[Header::SIZE..].get(..header.length as usize)?;
    Some((header, body))
}

/// Events that become segments.
struct Batch<'a> {
    stream: u32,
    /// Events of the stream so far.
    events: &'a mut u64,
    segments: &'a mut VecDeque<Segment>,
    trace: &'a mut Trace,
}

/// `None` stands for a malformed event.
type Problem = Option<Error>;

impl Batch<'_> {
    /// Adds all events that are whole in `bytes`. Returns how many bytes these are.
    fn add_events(&mut self, bytes: &[u8]) -> Result<usize> {
        let (mut at, mut unchanged_from) = (0, 0);
        while let Some((header, body)) = first_event(&bytes[at..]) {
            let items = self.references(header, body)?;
            let end = at + Header::SIZE + body.len();
            if let Some(items) = items {
                self.add_bytes(bytes[unchanged_from..at].to_vec());
                let resolved = self.add_resolved(header, &body[..items], &body[items..]);
                resolved.map_err(|problem| problem.unwrap_or_else(|| self.malformed()))?;
                unchanged_from = end;
            }
            at = end;
            *self.events += 1;
        }
        self.add_bytes(bytes[unchanged_from..at].to_vec());
        Ok(at)
    }

    /// Where the event's items begin, if any of them refers to a file.
    fn references(&self, header: Header, body: &[u8]) -> Result<Option<usize>> {
        let items = match Kind::from_byte(header.kind) {
            Some(Kind::Call | Kind::Entry) => 8 + 8 * usize::from(header.flags & flags::ARGUMENTS),
            Some(_) => return Ok(None),
            None => return Err(self.malformed()),
        };
        let any = body.get(items..).and_then(has_references).ok_or_else(|| self.malformed())?;
        Ok(any.then_some(items))
    }

    fn malformed(&self) -> Error {
        Error::Event { stream: self.stream, event: *self.events, what: "it is damaged".into() }
    }

    fn add_bytes(&mut self, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.segments.push_back(Segment::Bytes(0, bytes));
        }
    }

    /// Adds an event some of whose items refer to files.
    fn add_resolved(
        &mut self,
        header: Header,
        head: &[u8],
        items: &[u8],
    ) -> std::result::Result<(), Problem> {
        let mut resolved = Vec::new();
        let mut length = head.len() as u64;
        for (item, data) in Items(items).flatten() {
            let (item, part) = self.resolve(header, item, data)?;
            length += item.stored_size() as u64;
            resolved.push((item, part));
        }
        let length = u32::try_from(length).map_err(|_| None)?;
        let mut bytes = Header { length, ..header }.to_bytes().to_vec();
        bytes.extend_from_slice(head);
        for (item, part) in resolved {
            bytes.extend_from_slice(&item.to_bytes());
            match part {
                Part::Bytes(data) => bytes.extend_from_slice(&data),
                Part::File(file, offset) if item.length > 0 => {
                    self.add_bytes(std::mem::take(&mut bytes));
                    self.segments.push_back(Segment::File(file, offset, u64::from(item.length)));
                }
                Part::File(..) => {}
            }
            let padding = padded(item.length as usize) - item.length as usize;
            bytes.extend_from_slice(&[0; 8][..padding]);
        }
        self.add_bytes(bytes);
        Ok(())
    }

    /// What the program gets for an item.
    fn resolve(
        &mut self,
        event: Header,
        item: ItemHeader,
        data: &[u8],
    ) -> std::result::Result<(ItemHeader, Part), Problem> {
        let tag = Tag::from_byte(item.tag).ok_or(None)?;
        if !matches!(tag, Tag::OutputFile | Tag::MapFile) {
            return Ok((item, Part::Bytes(data.to_vec())));
        }
        let words = data.as_chunks::<8>().0;
        let [file, offset, length] = *words else { return Err(None) };
        let range = FileRange {
            file: u64::from_le_bytes(file),
            offset: u64::from_le_bytes(offset),
            length: u64::from_le_bytes(length),
        };
        if tag == Tag::OutputFile {
            let file = self.trace.file(range.file)?;
            let length = u32::try_from(range.length).map_err(|_| None)?;
            let item = ItemHeader { tag: Tag::Output as u8, length, ..item };
            return Ok((item, Part::File(file, range.offset)));
        }
        // What is about to be executed must be executable.
        let path = match event.kind == Kind::Entry as u8 {
            true => self.trace.program(item.value)?,
            false => self.trace.file(item.value)?.path.clone(),
        };
        let path = path.into_os_string().into_vec();
        let length = path.len() as u32;
        let item = ItemHeader { tag: Tag::MapPath as u8, length, value: range.offset, ..item };
        Ok((item, Part::Bytes(path)))
    }
}

/// The data of an item that the program gets.
enum Part {
    Bytes(Vec<u8>),
    File(Rc<Resolved>, u64),
}

/// The items of an event's body: `None` in place of one that is malformed, which ends them.
struct Items<'a>(&'a [u8]);

impl<'a> Iterator for Items<'a> {
    type Item = Option<(ItemHeader, &'a [u8])>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.0);
        let item = rest.first_chunk().map(|bytes| ItemHeader::from_bytes(*bytes));
        Some(item.and_then(|item| {
            let data = &rest[ItemHeader::SIZE..];
            let bytes = data.get(..item.length as usize)?;
            self.0 = data.get(padded(item.length as usize)..)?;
            Some((item, bytes))
        }))
    }
}

/// Whether any of the items refers to a file; `None` if they are malformed.
fn has_references(items: &[u8]) -> Option<bool> {
    let mut any = false;
    for item in Items(items) {
        let (item, _) = item?;
        any |= item.tag == Tag::OutputFile as u8 || item.tag == Tag::MapFile as u8;
    }
    Some(any)
}
