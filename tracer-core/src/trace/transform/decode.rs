//! From columns back to events. Nothing here is trusted.

use std::ops::Range;

use super::groups::Groups;
use super::texts::{Texts, shared_length};
use super::transpose::records;
use super::{Group, KEY_AND_COUNT, Key, Numbers, PREAMBLE, Unit};
use crate::event::{Header, ItemHeader, Kind, Tag, padded};
use crate::trace::reader::fixed_words;

/// Puts back in order what [`super::Encoder::encode`] rearranged, into `target`, replacing what is there.
///
/// Errors: `encoded` is nothing that an encoder makes of `length` bytes. `target` is never made longer than
/// `length`, whatever `encoded` claims.
pub fn decode(encoded: &[u8], length: usize, target: &mut Vec<u8>) -> Result<(), String> {
    target.clear();
    target.reserve(length);
    let mut decoder = Decoder::new(encoded, length, target).ok_or(TOO_SHORT)?;
    for event in 0..decoder.keys.len() / KEY_AND_COUNT {
        decoder
            .event(event)
            .ok_or_else(|| format!("the rearranged event {event} of the chunk is impossible"))?;
    }
    decoder.finish().ok_or_else(|| format!("the rearranged chunk does not give {length} bytes"))
}

const TOO_SHORT: &str = "the rearranged chunk is shorter than its columns";

/// The columns, each reduced to what was not used yet, except where said.
struct Decoder<'a> {
    /// All of it.
    keys: &'a [u8],
    /// Numbers of records of the groups that have not occurred yet.
    counts: &'a [u8],
    /// Records of the groups that have not occurred yet.
    records: &'a [u8],
    prefixes: &'a [u8],
    suffixes: &'a [u8],
    verbatim: &'a [u8],
    groups: Groups,
    /// By the group's number.
    columns: Vec<Column<'a>>,
    texts: Texts,
    length: usize,
    target: &'a mut Vec<u8>,
}

/// A group's records.
struct Column<'a> {
    bytes: Records<'a>,
    count: usize,
    used: usize,
}

enum Records<'a> {
    /// In order.
    Ordered(Vec<u8>),
    /// Transposed by words.
    Transposed(&'a [u8]),
}

/// Removes `length` bytes from the front of `bytes`.
fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    bytes.split_off(..length)
}

fn number(bytes: &mut &[u8]) -> Option<usize> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(u32::from_le_bytes(*first) as usize)
}

/// Appends record `record` of `count` that are transposed by words.
fn gather(transposed: &[u8], count: usize, record: usize, target: &mut Vec<u8>) {
    let words = transposed.as_chunks::<8>().0;
    for row in words.chunks_exact(count) {
        target.extend_from_slice(&row[record]);
    }
}

impl<'a> Decoder<'a> {
    fn new(mut rest: &'a [u8], length: usize, target: &'a mut Vec<u8>) -> Option<Decoder<'a>> {
        let mut numbers = [0; PREAMBLE];
        for value in &mut numbers {
            *value = number(&mut rest)?;
        }
        let [events, groups, records, texts, suffixes] = numbers;
        Some(Decoder {
            counts: take(&mut rest, groups * 4)?,
            keys: take(&mut rest, events * KEY_AND_COUNT)?,
            records: take(&mut rest, records)?,
            prefixes: take(&mut rest, texts)?,
            suffixes: take(&mut rest, suffixes)?,
            verbatim: rest,
            groups: Groups::default(),
            columns: Vec::new(),
            texts: Texts::new(),
            length,
            target,
        })
    }

    /// Appends the event with this number.
    fn event(&mut self, event: usize) -> Option<()> {
        let events = self.keys.len() / KEY_AND_COUNT;
        let byte = |at: usize| self.keys[at * events + event];
        let key: Key = [byte(0), byte(1), byte(2), byte(3)];
        let items = u16::from_le_bytes([byte(4), byte(5)]);
        let start = self.grow(Header::SIZE)?;
        let words = fixed_words(Kind::from_byte(key[0])?, key[1]);
        if words > 0 {
            self.record(Group::fixed(key, words))?;
        }
        let body = start + Header::SIZE;
        for position in 0..items.into() {
            self.item(key, position, body..body + words * 8)?;
        }
        let [kind, flags, low, high] = key;
        let length = (self.target.len() - start - Header::SIZE) as u32;
        let header = Header { kind, flags, number: u16::from_le_bytes([low, high]), length };
        self.target[start..start + Header::SIZE].copy_from_slice(&header.to_bytes());
        Some(())
    }

    /// Appends an item of the event whose numbers are at `numbers`.
    fn item(&mut self, key: Key, position: usize, numbers: Range<usize>) -> Option<()> {
        let start = self.target.len();
        self.record(Group::header(key, position))?;
        let (before, header) = self.target.split_at_mut(start);
        let numbers = Numbers(before[numbers].as_chunks().0);
        let mut item = ItemHeader::from_bytes(*header.first_chunk()?);
        item.value = item.value.wrapping_add(numbers.value(item));
        header.copy_from_slice(&item.to_bytes());
        if item.tag == Tag::Text as u8 {
            return self.text(start, item);
        }
        let length = item.length as usize;
        match Group::data(key, position, length, numbers) {
            Some(group) => self.record(group),
            None => {
                let data = take(&mut self.verbatim, padded(length))?;
                self.append(data)
            }
        }
    }

    /// Appends a text to its header at `header`, and makes the length there what it was.
    fn text(&mut self, header: usize, mut item: ItemHeader) -> Option<()> {
        let before = self.texts.before(item.value);
        item.length = item.length.wrapping_add(before.len() as u32);
        self.target[header..].copy_from_slice(&item.to_bytes());
        let length = item.length as usize;
        let prefix = shared_length(*self.prefixes.split_off_first()?, before.len())?;
        let suffix = take(&mut self.suffixes, length.checked_sub(prefix)?)?;
        let start = self.grow(prefix)?;
        self.target.copy_within(before.start..before.start + prefix, start);
        self.append(suffix)?;
        self.texts.remember(item.value, start..start + length);
        self.grow(padded(length) - length).map(|_| ())
    }

    /// Appends the next record of `group`.
    fn record(&mut self, group: Group) -> Option<()> {
        let size = usize::from(group.length);
        let number = self.groups.number(group);
        if number == self.columns.len() {
            let count = self::number(&mut self.counts)?;
            let bytes = take(&mut self.records, count.checked_mul(size)?)?;
            let bytes = match group.unit() {
                Unit::Byte => Records::Ordered(records(bytes, count, size)),
                Unit::Word => Records::Transposed(bytes),
            };
            self.columns.push(Column { bytes, count, used: 0 });
        }
        let column = &mut self.columns[number];
        let (record, count) = (column.used, column.count);
        if record == count || self.length - self.target.len() < size {
            return None;
        }
        column.used += 1;
        match &column.bytes {
            Records::Ordered(bytes) => {
                self.target.extend_from_slice(&bytes[record * size..(record + 1) * size]);
            }
            Records::Transposed(bytes) => gather(bytes, count, record, self.target),
        }
        Some(())
    }

    /// Appends `length` zeros, and says where they begin; `None` if they do not fit.
    fn grow(&mut self, length: usize) -> Option<usize> {
        let start = self.target.len();
        let end = start.checked_add(length).filter(|&end| end <= self.length)?;
        self.target.resize(end, 0);
        Some(start)
    }

    fn append(&mut self, bytes: &[u8]) -> Option<()> {
        if self.length - self.target.len() < bytes.len() {
            return None;
        }
        self.target.extend_from_slice(bytes);
        Some(())
    }

    /// Appends what is no whole event, and checks that nothing is left over.
    fn finish(mut self) -> Option<()> {
        self.append(self.verbatim)?;
        let used = self.columns.iter().all(|column| column.used == column.count);
        let rest = [self.counts, self.records, self.prefixes, self.suffixes];
        (used && rest.iter().all(|column| column.is_empty()) && self.target.len() == self.length)
            .then_some(())
    }
}
