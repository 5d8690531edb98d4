//! From columns back to events. Nothing here is trusted.

use std::ops::Range;

use super::groups::Groups;
use super::texts::{Texts, shared_length};
use super::{Group, KEY_AND_COUNT, Key, Numbers, PREAMBLE, Unit, columns};
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
    let mut event = 0;
    while event < decoder.events {
        event += decoder
            .events_from(event)
            .ok_or_else(|| format!("the rearranged event {event} of the chunk is impossible"))?;
    }
    decoder.finish().ok_or_else(|| format!("the rearranged chunk does not give {length} bytes"))
}

const TOO_SHORT: &str = "the rearranged chunk is shorter than its columns";

/// The columns, each reduced to what was not used yet, except where said.
struct Decoder<'a> {
    events: usize,
    /// All of them, event after event.
    keys: Vec<u8>,
    /// Numbers of records of the groups that have not occurred yet.
    counts: &'a [u8],
    /// Records of the groups that have not occurred yet.
    records: &'a [u8],
    prefixes: &'a [u8],
    suffixes: &'a [u8],
    verbatim: &'a [u8],
    groups: Groups,
    /// By the group's number.
    columns: Vec<Column>,
    texts: Texts,
    length: usize,
    /// Bytes of records that further groups can have without being more than `length`.
    budget: usize,
    target: &'a mut Vec<u8>,
}

/// A group's records.
struct Column {
    bytes: Vec<u8>,
    used: usize,
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

impl<'a> Decoder<'a> {
    fn new(mut rest: &'a [u8], length: usize, target: &'a mut Vec<u8>) -> Option<Decoder<'a>> {
        let mut numbers = [0; PREAMBLE];
        for value in &mut numbers {
            *value = number(&mut rest)?;
        }
        let [events, groups, records, texts, suffixes] = numbers;
        if events > length / Header::SIZE {
            return None;
        }
        Some(Decoder {
            events,
            counts: take(&mut rest, groups * 4)?,
            keys: columns::take(&mut rest, events, KEY_AND_COUNT, Unit::Byte)?,
            records: take(&mut rest, records)?,
            prefixes: take(&mut rest, texts)?,
            suffixes: take(&mut rest, suffixes)?,
            verbatim: rest,
            groups: Groups::default(),
            columns: Vec::new(),
            texts: Texts::new(),
            length,
            budget: length,
            target,
        })
    }

    /// Appends the event with this number, and the same for all behind it that are alike and have no items. Returns how
    /// many these were.
    fn events_from(&mut self, event: usize) -> Option<usize> {
        let start = self.target.len();
        self.event(event)?;
        let keys = &self.keys.as_chunks::<KEY_AND_COUNT>().0[event..];
        let [_, _, _, _, items @ ..] = keys[0];
        let size = self.target.len() - start;
        if u32::from_le_bytes(items) > 0 || size == Header::SIZE {
            return Some(1);
        }
        let further = keys.iter().take_while(|key| **key == keys[0]).count() - 1;
        let record = size - Header::SIZE;
        let column = &mut self.columns[self.groups.current()];
        let end = column.used.checked_add(further.checked_mul(record)?)?;
        let records = column.bytes.get(column.used..end)?;
        if self.length - self.target.len() < further * size {
            return None;
        }
        column.used = end;
        let header: [u8; Header::SIZE] = *self.target[start..].first_chunk()?;
        self.target.reserve(further * size);
        for record in records.chunks_exact(record) {
            self.target.extend_from_slice(&header);
            for word in record.as_chunks::<8>().0 {
                self.target.extend_from_slice(word);
            }
        }
        Some(1 + further)
    }

    /// Appends the event with this number.
    fn event(&mut self, event: usize) -> Option<()> {
        let [a, b, c, d, items @ ..] = *self.keys.as_chunks::<KEY_AND_COUNT>().0.get(event)?;
        let key: Key = [a, b, c, d];
        let items = u32::from_le_bytes(items);
        let start = self.grow(Header::SIZE)?;
        let words = fixed_words(Kind::from_byte(key[0])?, key[1]);
        if words > 0 {
            self.record(Group::fixed(key, words))?;
        }
        let body = start + Header::SIZE;
        for position in 0..items as usize {
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
            self.budget = self.budget.checked_sub(count.checked_mul(size)?)?;
            let bytes = columns::take(&mut self.records, count, size, group.unit())?;
            self.columns.push(Column { bytes, used: 0 });
        }
        let column = &mut self.columns[number];
        let record = column.bytes.get(column.used..column.used + size)?;
        if self.length - self.target.len() < size {
            return None;
        }
        column.used += size;
        self.target.extend_from_slice(record);
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
        let used = self.columns.iter().all(|column| column.used == column.bytes.len());
        let rest = [self.counts, self.records, self.prefixes, self.suffixes];
        (used && rest.iter().all(|column| column.is_empty()) && self.target.len() == self.length)
            .then_some(())
    }
}
