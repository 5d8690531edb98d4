//! A stream's bytes as typed events.
//!
//! Every length, kind and tag is checked when an event is read; what an [`Event`] gives out afterwards cannot
//! fail. Malformed bytes are an [`Error::Event`] that says where and what; a stream that stops in the middle
//! of an event was cut there, which is no error (see [`Events::ends_early`]).

mod body;
mod item;

pub use body::{Arguments, Body};
pub(super) use body::{fixed_words, has_items};
pub use item::{Item, Items, Strings};

use std::io::{self, BufRead, Read};
use std::path::Path;

use super::error::{Context, Error, Result};
use crate::event::{Header, Kind};

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number in the stream (0 = first).
    pub index: u64,
    /// What kind it is.
    pub kind: Kind,
    /// [`Header::flags`].
    pub flags: u8,
    /// [`Header::number`]: system call, signal or instruction.
    pub number: u16,
    /// What it says.
    pub body: Body,
}

impl Event {
    /// The event's items; none for kinds without items.
    pub fn items(&self) -> &Items {
        self.body.items()
    }
}

/// The events of one stream, in order. After an error there are no more.
pub struct Events<R> {
    stream: u32,
    source: R,
    next: u64,
    ended: bool,
    ends_early: Option<String>,
}

impl<R: BufRead> Events<R> {
    /// The events in the bytes of `source`, which are those of `stream`.
    pub fn new(stream: u32, source: R) -> Events<R> {
        Events { stream, source, next: 0, ended: false, ends_early: None }
    }

    /// Once the last event was given out: where the stream was cut, if it was cut within an event.
    pub fn ends_early(&self) -> Option<&str> {
        self.ends_early.as_deref()
    }

    /// The source of the bytes.
    pub fn source(&self) -> &R {
        &self.source
    }

    fn read(&mut self) -> Result<Option<Event>> {
        // Nearly every event lies in the source's buffer as a whole, and need not be copied to be looked at.
        let buffered = self.source.fill_buf().context("read", Path::new("the stream's events"))?;
        let whole = buffered.split_first_chunk().and_then(|(header, rest)| {
            let header = Header::from_bytes(*header);
            rest.get(..header.length as usize).map(|body| (header, body))
        });
        let Some((header, body)) = whole else { return self.read_in_parts() };
        let event = event(self.next, header, body).map_err(|what| self.error(what))?;
        self.source.consume(Header::SIZE + header.length as usize);
        self.next += 1;
        Ok(Some(event))
    }

    /// Reads an event of which only a part is buffered, if any.
    fn read_in_parts(&mut self) -> Result<Option<Event>> {
        let mut header = [0; Header::SIZE];
        let found = self.fill(&mut header)?;
        if found < Header::SIZE {
            if found > 0 {
                self.cut(format!("after {found} of the {} bytes of its header", Header::SIZE));
            }
            return Ok(None);
        }
        let header = Header::from_bytes(header);
        // What is wrong with a header counts more than that its body is cut.
        body::check_header(header).map_err(|what| self.error(what))?;
        let mut bytes = Vec::new();
        // Grows with what is really there, so that a false length costs nothing.
        let found = (&mut self.source).take(header.length.into()).read_to_end(&mut bytes);
        let found = found.context("read", Path::new("the stream's events"))?;
        if found < header.length as usize {
            self.cut(format!("after {found} of the {} bytes of its body", header.length));
            return Ok(None);
        }
        let event = event(self.next, header, &bytes).map_err(|what| self.error(what))?;
        self.next += 1;
        Ok(Some(event))
    }

    /// Reads as much of `target` as there is.
    fn fill(&mut self, target: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < target.len() {
            match self.source.read(&mut target[filled..]) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("read", Path::new("the stream's events")),
            }
        }
        Ok(filled)
    }

    fn cut(&mut self, place: String) {
        self.ends_early = Some(format!("stream {} ends within event {}, {place}", self.stream, self.next));
    }

    fn error(&self, what: String) -> Error {
        Error::Event { stream: self.stream, event: self.next, what }
    }
}

/// The event with this header and body, or what is wrong with it.
fn event(index: u64, header: Header, body: &[u8]) -> std::result::Result<Event, String> {
    let kind = body::check_header(header)?;
    let body = Body::parse(kind, header, body)?;
    Ok(Event { index, kind, flags: header.flags, number: header.number, body })
}

impl<R: BufRead> Iterator for Events<R> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Result<Event>> {
        if self.ended {
            return None;
        }
        let event = self.read().transpose();
        self.ended = !matches!(event, Some(Ok(_)));
        event
    }
}
