//! From events to columns.

use super::groups::Groups;
use super::texts::{Texts, shared};
use super::{COLUMNS, Group, KEY_AND_COUNT, Key, NONE, Numbers, PREAMBLE, Unit, columns};
use crate::event::{Header, ItemHeader, Kind, Tag, padded};
use crate::trace::reader::{fixed_words, has_items};

/// The rearranging side, with memory that is used again for each chunk.
#[derive(Default)]
pub struct Encoder {
    groups: Groups,
    /// The records of each group. Only the first `groups.len()` are of this chunk.
    records: Vec<Vec<u8>>,
    keys: Vec<u8>,
    prefixes: Vec<u8>,
    suffixes: Vec<u8>,
    verbatim: Vec<u8>,
}

/// Something that is no event, or one that an encoder need not bother with.
struct NoEvent;

impl Encoder {
    /// Rearranges `bytes`, at most 4 GiB, into `target`, replacing what is there. Gives back [`COLUMNS`], or
    /// [`NONE`] if `bytes` do not begin with an event and nothing was done.
    pub fn encode(&mut self, bytes: &[u8], target: &mut Vec<u8>) -> u16 {
        self.groups.clear();
        for column in [&mut self.keys, &mut self.prefixes, &mut self.suffixes, &mut self.verbatim] {
            column.clear();
        }
        let mut texts = Texts::new();
        let mut offset = 0;
        while let Ok((header, items)) = event_at(bytes, offset) {
            self.event(bytes, offset, header, items, &mut texts);
            let size = Header::SIZE + header.length as usize;
            offset += size;
            if items == 0 && header.length > 0 {
                offset += self.repetitions(&bytes[offset - size..], size);
            }
        }
        if offset == 0 {
            return NONE;
        }
        self.verbatim.extend_from_slice(&bytes[offset..]);
        self.write(target);
        COLUMNS
    }

    /// Takes in the event at `offset`, which was checked.
    fn event(&mut self, bytes: &[u8], offset: usize, header: Header, items: u16, texts: &mut Texts) {
        let [kind, flags, low, high, ..] = header.to_bytes();
        let key: Key = [kind, flags, low, high];
        let mut key_and_count = [0; KEY_AND_COUNT];
        key_and_count[..4].copy_from_slice(&key);
        key_and_count[4..6].copy_from_slice(&items.to_le_bytes());
        self.keys.extend_from_slice(&key_and_count);
        let words = Kind::from_byte(kind).map_or(0, |kind| fixed_words(kind, flags));
        let mut at = offset + Header::SIZE;
        let numbers = Numbers(bytes[at..at + words * 8].as_chunks().0);
        if words > 0 {
            self.record(Group::fixed(key, words), &bytes[at..at + words * 8]);
            at += words * 8;
        }
        for position in 0..items.into() {
            let item = item_at(bytes, at);
            let mut stored = ItemHeader { value: item.value.wrapping_sub(numbers.value(item)), ..item };
            at += ItemHeader::SIZE;
            let length = item.length as usize;
            let data = &bytes[at..at + padded(length)];
            let is_text = item.tag == Tag::Text as u8;
            if is_text {
                let place = at..at + length;
                let before = texts.before(item.value);
                texts.remember(item.value, place.clone());
                stored.length = item.length.wrapping_sub(before.len() as u32);
                let (byte, prefix) = shared(&bytes[before], &bytes[place.clone()]);
                self.prefixes.push(byte);
                self.suffixes.extend_from_slice(&bytes[place][prefix..]);
            }
            self.record(Group::header(key, position), &stored.to_bytes());
            if is_text {
                // Its bytes are in columns of their own.
            } else if let Some(group) = Group::data(key, position, length, numbers) {
                self.record(group, data);
            } else {
                self.verbatim.extend_from_slice(data);
            }
            at += padded(length);
        }
    }

    /// Takes in the events that come right behind the first of `bytes`, which was the last to be taken in and has no items,
    /// and have the same header. Returns their size. Programs that only read a clock do so millions of times.
    fn repetitions(&mut self, bytes: &[u8], size: usize) -> usize {
        let (first, rest) = bytes.split_at(size);
        let (header, _) = first.split_at(Header::SIZE);
        let alike = |event: &&[u8]| event.starts_with(header);
        let count = rest.chunks_exact(size).take_while(alike).count();
        if count > 0 {
            let key = self.keys.len() - KEY_AND_COUNT..;
            self.keys.reserve(count * KEY_AND_COUNT);
            let key: [u8; KEY_AND_COUNT] = std::array::from_fn(|i| self.keys[key.start + i]);
            self.keys.extend(std::iter::repeat_n(key, count).flatten());
            let records = &mut self.records[self.groups.current()];
            records.reserve(count * (size - Header::SIZE));
            for event in rest.chunks_exact(size).take(count) {
                for word in event[Header::SIZE..].as_chunks::<8>().0 {
                    records.extend_from_slice(word);
                }
            }
        }
        count * size
    }

    #[inline]
    fn record(&mut self, group: Group, record: &[u8]) {
        let known = self.groups.len();
        let number = self.groups.number(group);
        if number == known {
            match self.records.get_mut(number) {
                Some(unused) => unused.clear(),
                None => self.records.push(Vec::new()),
            }
        }
        self.records[number].extend_from_slice(record);
    }

    fn write(&self, target: &mut Vec<u8>) {
        let groups = || self.groups.iter().zip(&self.records);
        let events = self.keys.len() / KEY_AND_COUNT;
        target.clear();
        target.resize(4 * PREAMBLE, 0);
        for (group, records) in groups() {
            let count = records.len() / usize::from(group.length);
            target.extend_from_slice(&(count as u32).to_le_bytes());
        }
        columns::put(&self.keys, KEY_AND_COUNT, Unit::Byte, target);
        let begin = target.len();
        for (group, records) in groups() {
            columns::put(records, group.length.into(), group.unit(), target);
        }
        let preamble: [usize; PREAMBLE] =
            [events, self.groups.len(), target.len() - begin, self.prefixes.len(), self.suffixes.len()];
        for (place, number) in target.as_chunks_mut::<4>().0.iter_mut().zip(preamble) {
            *place = (number as u32).to_le_bytes();
        }
        target.extend_from_slice(&self.prefixes);
        target.extend_from_slice(&self.suffixes);
        target.extend_from_slice(&self.verbatim);
    }
}

fn item_at(bytes: &[u8], at: usize) -> ItemHeader {
    ItemHeader::from_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// The header and the number of items of the event at `offset`, if its bytes can be told from these and what
/// the decoder is given of its items.
fn event_at(bytes: &[u8], offset: usize) -> Result<(Header, u16), NoEvent> {
    let (header, rest) = bytes[offset..].split_first_chunk().ok_or(NoEvent)?;
    let header = Header::from_bytes(*header);
    let body = rest.get(..header.length as usize).ok_or(NoEvent)?;
    let kind = Kind::from_byte(header.kind).ok_or(NoEvent)?;
    let mut rest = body.get(fixed_words(kind, header.flags) * 8..).ok_or(NoEvent)?;
    let mut items = 0_u16;
    while !rest.is_empty() {
        let (item, data) = rest.split_first_chunk().ok_or(NoEvent)?;
        let item = ItemHeader::from_bytes(*item);
        let length = item.length as usize;
        let (data, behind) = data.split_at_checked(padded(length)).ok_or(NoEvent)?;
        if item.tag == Tag::Text as u8 && data[length..].iter().any(|&byte| byte != 0) {
            return Err(NoEvent);
        }
        rest = behind;
        items = items.checked_add(1).ok_or(NoEvent)?;
    }
    if items > 0 && !has_items(kind) { Err(NoEvent) } else { Ok((header, items)) }
}
