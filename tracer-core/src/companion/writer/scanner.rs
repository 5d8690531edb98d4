//! Reading a stream's events in passing, from pieces of any size, without keeping them.
//!
//! Headers are looked at, small items are shown to a [`Sink`], all else is skipped. It also finds out when the
//! program has scribbled over its ring: what follows is then no event.

use crate::event::{Header, ItemHeader, Kind, Tag, flags, padded};

/// Largest item whose data is shown. Longer ones (a `/proc/self/maps` of a hundred thousand lines) are cut.
const MAXIMUM_SHOWN: usize = 8 << 20;

/// What is made of the events.
pub trait Sink {
    /// A `Start` begins, the stream's event number `index` (0 = first).
    fn start(&mut self, index: u64);
    /// Whether [`Sink::call`] must be told of such an event even if it has no items.
    fn wants_call(&self, event: Header) -> bool;
    /// The result and arguments of a `Call` or `Entry`.
    fn call(&mut self, header: Header, result: i64, arguments: &[u64]);
    /// Whether [`Sink::item`] wants the data of such an item. Asked for each item that is not skipped whole.
    fn wants(&self, event: Header, item: ItemHeader) -> bool;
    /// An item; `data` is empty unless it was wanted, and cut after some megabytes.
    fn item(&mut self, event: Header, item: ItemHeader, data: &[u8]);
}

/// What comes next in the stream.
#[derive(Clone, Copy)]
enum Next {
    Header,
    CallHead,
    ItemHeader,
    /// The shown part of an item's data.
    ItemData(ItemHeader),
}

/// The place in a stream.
pub struct Scanner {
    next: Next,
    /// The event that the place is in.
    event: Header,
    /// Bytes of its body that were not scanned yet, `skip` and `held` included.
    body: usize,
    /// Bytes to skip before `next`.
    skip: usize,
    /// The beginning of what comes next, if it came in pieces.
    held: Vec<u8>,
    /// Bytes that were scanned.
    position: u64,
    /// Where the last complete event ended.
    boundary: u64,
    /// Events that began.
    events: u64,
}

impl Scanner {
    /// At a stream's beginning.
    pub fn new() -> Scanner {
        Scanner {
            next: Next::Header,
            event: Header { kind: 0, flags: 0, number: 0, length: 0 },
            body: 0,
            skip: 0,
            held: Vec::new(),
            position: 0,
            boundary: 0,
            events: 0,
        }
    }

    /// Where the last complete event ended, in bytes since the stream's beginning.
    pub fn boundary(&self) -> u64 {
        self.boundary
    }

    /// Events that began.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Goes on through `bytes`. On error, says what is wrong with the event that begins at
    /// [`Scanner::boundary`]; the scanner is of no use any more.
    pub fn feed(&mut self, mut bytes: &[u8], sink: &mut impl Sink) -> Result<(), String> {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                self.pass(&mut bytes, skipped);
                self.skip -= skipped;
                self.end_event();
                continue;
            }
            if matches!(self.next, Next::Header) && self.held.is_empty() {
                self.pass_plain(&mut bytes, sink);
            }
            let wanted = self.wanted();
            if self.held.is_empty() && bytes.len() >= wanted {
                let piece = self.pass(&mut bytes, wanted);
                self.step(piece, sink)?;
            } else {
                let missing = (wanted - self.held.len()).min(bytes.len());
                let piece = self.pass(&mut bytes, missing);
                self.held.extend_from_slice(piece);
                if self.held.len() == wanted {
                    let piece = std::mem::take(&mut self.held);
                    self.step(&piece, sink)?;
                }
            }
        }
        Ok(())
    }

    /// Passes whole events that have nothing to show: most of a stream.
    fn pass_plain(&mut self, bytes: &mut &[u8], sink: &impl Sink) {
        while let Some(header) = bytes.first_chunk() {
            let header = Header::from_bytes(*header);
            let plain = match Kind::from_byte(header.kind) {
                Some(Kind::Clock | Kind::Turn | Kind::Check | Kind::Operation) => {
                    header.length.is_multiple_of(8)
                }
                Some(Kind::Call) => {
                    let bare = header.length as usize == call_head(header);
                    bare && header.flags & flags::ARGUMENTS <= 6 && !sink.wants_call(header)
                }
                _ => false,
            };
            let size = Header::SIZE + header.length as usize;
            if !plain || bytes.len() < size {
                return;
            }
            *bytes = &bytes[size..];
            self.position += size as u64;
            self.boundary = self.position;
            self.events += 1;
        }
    }

    fn pass<'a>(&mut self, bytes: &mut &'a [u8], length: usize) -> &'a [u8] {
        let (piece, rest) = bytes.split_at(length);
        *bytes = rest;
        self.position += length as u64;
        if !matches!(self.next, Next::Header) || self.skip > 0 {
            self.body -= length;
        }
        piece
    }

    fn end_event(&mut self) {
        if self.body == 0 && self.skip == 0 {
            self.next = Next::Header;
            self.boundary = self.position;
        }
    }

    fn wanted(&self) -> usize {
        match self.next {
            Next::Header => Header::SIZE,
            Next::CallHead => call_head(self.event),
            Next::ItemHeader => ItemHeader::SIZE,
            Next::ItemData(item) => (item.length as usize).min(MAXIMUM_SHOWN),
        }
    }

    /// Takes in `piece`, which is what `next` says, and finds out what follows it.
    fn step(&mut self, piece: &[u8], sink: &mut impl Sink) -> Result<(), String> {
        match self.next {
            Next::Header => self.begin_event(piece, sink)?,
            Next::CallHead => {
                let words = piece.as_chunks::<8>().0;
                let mut arguments = [0; flags::ARGUMENTS as usize];
                for (argument, word) in arguments.iter_mut().zip(&words[1..]) {
                    *argument = u64::from_le_bytes(*word);
                }
                let result = i64::from_le_bytes(words[0]);
                sink.call(self.event, result, &arguments[..words.len() - 1]);
                self.expect_item()?;
            }
            Next::ItemHeader => {
                let mut bytes = [0; ItemHeader::SIZE];
                bytes.copy_from_slice(piece);
                self.begin_item(ItemHeader::from_bytes(bytes), sink)?;
            }
            Next::ItemData(item) => {
                sink.item(self.event, item, piece);
                self.skip = padded(item.length as usize) - piece.len();
                self.expect_item()?;
            }
        }
        self.end_event();
        Ok(())
    }

    fn begin_event(&mut self, piece: &[u8], sink: &mut impl Sink) -> Result<(), String> {
        let mut bytes = [0; Header::SIZE];
        bytes.copy_from_slice(piece);
        let header = Header::from_bytes(bytes);
        let kind = Kind::from_byte(header.kind);
        let call = matches!(kind, Some(Kind::Call | Kind::Entry));
        if kind.is_none() || !header.length.is_multiple_of(8) || call && header.flags & flags::ARGUMENTS > 6 {
            return Err(format!("event {} is none: its header is {bytes:02x?}", self.events));
        }
        self.event = header;
        self.body = header.length as usize;
        self.events += 1;
        if kind == Some(Kind::Start) {
            sink.start(self.events - 1);
        }
        match kind {
            Some(Kind::Call | Kind::Entry) => {
                if self.body < call_head(header) {
                    return Err(self.malformed("is shorter than its arguments"));
                }
                self.next = Next::CallHead;
            }
            Some(Kind::Start | Kind::Note | Kind::Stop) => self.expect_item()?,
            _ => self.skip = self.body,
        }
        Ok(())
    }

    /// What follows, after `skip` bytes, is an item or the event's end.
    fn expect_item(&mut self) -> Result<(), String> {
        self.next = Next::ItemHeader;
        match self.body - self.skip {
            0 | ItemHeader::SIZE.. => Ok(()),
            _ => Err(self.malformed("ends within an item's header")),
        }
    }

    fn begin_item(&mut self, item: ItemHeader, sink: &mut impl Sink) -> Result<(), String> {
        let length = padded(item.length as usize);
        if Tag::from_byte(item.tag).is_none() || length > self.body {
            return Err(self.malformed("holds something that is no item"));
        }
        if item.length > 0 && sink.wants(self.event, item) {
            self.next = Next::ItemData(item);
            return Ok(());
        }
        sink.item(self.event, item, &[]);
        self.skip = length;
        self.expect_item()
    }

    fn malformed(&self, what: &str) -> String {
        format!("event {} (kind {}) {what}", self.events - 1, self.event.kind)
    }
}

/// Bytes of the result and the arguments.
fn call_head(event: Header) -> usize {
    8 + 8 * usize::from(event.flags & flags::ARGUMENTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, PartialEq, Debug)]
    struct Seen {
        starts: Vec<u64>,
        calls: Vec<(u16, i64, Vec<u64>)>,
        items: Vec<(u8, u64, Vec<u8>)>,
    }

    impl Sink for Seen {
        fn start(&mut self, index: u64) {
            self.starts.push(index);
        }
        fn wants_call(&self, _event: Header) -> bool {
            true
        }
        fn call(&mut self, header: Header, result: i64, arguments: &[u64]) {
            self.calls.push((header.number, result, arguments.to_vec()));
        }
        fn wants(&self, _event: Header, item: ItemHeader) -> bool {
            item.tag == Tag::Text as u8
        }
        fn item(&mut self, _event: Header, item: ItemHeader, data: &[u8]) {
            self.items.push((item.tag, item.value, data.to_vec()));
        }
    }

    fn item(tag: Tag, value: u64, data: &[u8]) -> Vec<u8> {
        let header =
            ItemHeader { tag: tag as u8, argument: 0, reserved: 0, length: data.len() as u32, value };
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(data);
        bytes.resize(header.stored_size(), 0);
        bytes
    }

    fn event(kind: Kind, flags: u8, number: u16, body: &[u8]) -> Vec<u8> {
        let header = Header { kind: kind as u8, flags, number, length: body.len() as u32 };
        [&header.to_bytes()[..], body].concat()
    }

    fn sample() -> Vec<u8> {
        let words = |words: &[u64]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        [
            event(Kind::Start, 0, 0, &item(Tag::Text, 5, b"start")),
            event(Kind::Clock, 0, 228, &words(&[0, 1, 2])),
            event(
                Kind::Call,
                2,
                0,
                &[words(&[9, 3, 4]), item(Tag::Output, 77, b"123456789"), item(Tag::Text, 1, b"/etc")]
                    .concat(),
            ),
            event(Kind::Call, 0, 39, &words(&[12])),
            event(Kind::Check, 0, 0, &words(&[1, 2, 3])),
            event(Kind::Note, 0, 0, &item(Tag::Text, 0, b"")),
        ]
        .concat()
    }

    #[test]
    fn pieces_of_any_size_show_the_same() {
        let bytes = sample();
        for size in 1..=bytes.len() {
            let (mut scanner, mut seen) = (Scanner::new(), Seen::default());
            for piece in bytes.chunks(size) {
                scanner.feed(piece, &mut seen).unwrap();
            }
            assert_eq!(scanner.boundary(), bytes.len() as u64, "in pieces of {size}");
            assert_eq!((scanner.events(), &*seen.starts), (6, &[0][..]));
            assert_eq!(seen.calls, [(0, 9, vec![3, 4]), (39, 12, vec![])]);
            let expected: [(u8, u64, &[u8]); 4] =
                [(3, 5, b"start"), (1, 77, b""), (3, 1, b"/etc"), (3, 0, b"")];
            assert_eq!(seen.items, expected.map(|(tag, value, data)| (tag, value, data.to_vec())));
        }
    }

    #[test]
    fn every_boundary_is_noticed() {
        let bytes = sample();
        let (mut scanner, mut seen) = (Scanner::new(), Seen::default());
        let mut boundaries = Vec::new();
        for (at, byte) in bytes.iter().enumerate() {
            scanner.feed(&[*byte], &mut seen).unwrap();
            if scanner.boundary() == at as u64 + 1 {
                boundaries.push(at + 1);
            }
        }
        assert_eq!(boundaries.len(), 6);
        assert_eq!(boundaries.last(), Some(&bytes.len()));
    }

    #[test]
    fn what_is_no_event_is_refused() {
        let short_call = event(Kind::Call, 3, 0, &[0; 16]);
        let long_item = {
            let mut body = item(Tag::Output, 0, &[0; 8]);
            body[4] = 200;
            event(Kind::Start, 0, 0, &body)
        };
        let half_item = event(Kind::Note, 0, 0, &[0; 8]);
        for bytes in [vec![0; 8], vec![1, 0, 0, 0, 3, 0, 0, 0], short_call, long_item, half_item] {
            assert!(Scanner::new().feed(&bytes, &mut Seen::default()).is_err(), "{bytes:?}");
        }
    }
}
