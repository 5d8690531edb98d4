//! From events to columns.

use super::groups::Groups;
use super::texts::{Texts, shared};
use super::{COLUMNS, Group, KEY_AND_COUNT, Key, NONE, Numbers, PREAMBLE, Unit};
use crate::event::{Header, ItemHeader, Kind, Tag, padded};
use crate::trace::reader::{fixed_words, has_items};

/// The rearranging side, with memory that is used again for each chunk.
#[derive(Default)]
pub struct Encoder {
    /// The chunk, with items' headers as they are stored.
    source: Vec<u8>,
    groups: Groups,
    /// Where in the chunk the records of each group begin. Only the first `groups.len()` are of this chunk.
    records: Vec<Vec<u32>>,
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
        self.source.clear();
        self.source.extend_from_slice(bytes);
        for column in [&mut self.keys, &mut self.prefixes, &mut self.suffixes, &mut self.verbatim] {
            column.clear();
        }
        let mut texts = Texts::new();
        let mut offset = 0;
        while let Ok((header, items)) = event_at(bytes, offset) {
            self.event(bytes, offset, header, items, &mut texts);
            offset += Header::SIZE + header.length as usize;
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
        self.keys.extend_from_slice(&key);
        self.keys.extend_from_slice(&items.to_le_bytes());
        let words = Kind::from_byte(kind).map_or(0, |kind| fixed_words(kind, flags));
        let mut at = offset + Header::SIZE;
        let numbers = Numbers(bytes[at..at + words * 8].as_chunks().0);
        if words > 0 {
            self.record(Group::fixed(key, words), at);
            at += words * 8;
        }
        for position in 0..items.into() {
            let item = item_at(bytes, at);
            let mut stored = ItemHeader { value: item.value.wrapping_sub(numbers.value(item)), ..item };
            let header = at..at + ItemHeader::SIZE;
            self.record(Group::header(key, position), at);
            at += ItemHeader::SIZE;
            let length = item.length as usize;
            if item.tag == Tag::Text as u8 {
                let place = at..at + length;
                let before = texts.before(item.value);
                texts.remember(item.value, place.clone());
                stored.length = item.length.wrapping_sub(before.len() as u32);
                let (byte, prefix) = shared(&bytes[before], &bytes[place.clone()]);
                self.prefixes.push(byte);
                self.suffixes.extend_from_slice(&bytes[place][prefix..]);
            } else if let Some(group) = Group::data(key, position, length, numbers) {
                self.record(group, at);
            } else {
                self.verbatim.extend_from_slice(&bytes[at..at + padded(length)]);
            }
            self.source[header].copy_from_slice(&stored.to_bytes());
            at += padded(length);
        }
    }

    fn record(&mut self, group: Group, at: usize) {
        let known = self.groups.len();
        let number = self.groups.number(group);
        if number == known {
            match self.records.get_mut(number) {
                Some(unused) => unused.clear(),
                None => self.records.push(Vec::new()),
            }
        }
        self.records[number].push(at as u32);
    }

    fn write(&self, target: &mut Vec<u8>) {
        let groups = || self.groups.iter().zip(&self.records);
        let size: usize = groups().map(|(group, records)| usize::from(group.length) * records.len()).sum();
        let events = self.keys.len() / KEY_AND_COUNT;
        let preamble: [usize; PREAMBLE] =
            [events, self.groups.len(), size, self.prefixes.len(), self.suffixes.len()];
        target.clear();
        for number in preamble.into_iter().chain(groups().map(|(_, records)| records.len())) {
            target.extend_from_slice(&(number as u32).to_le_bytes());
        }
        for byte in 0..KEY_AND_COUNT {
            target.extend(self.keys.iter().skip(byte).step_by(KEY_AND_COUNT));
        }
        for (group, records) in groups() {
            match group.unit() {
                Unit::Byte => transpose::<1>(&self.source, group, records, target),
                Unit::Word => transpose::<8>(&self.source, group, records, target),
            }
        }
        target.extend_from_slice(&self.prefixes);
        target.extend_from_slice(&self.suffixes);
        target.extend_from_slice(&self.verbatim);
    }
}

/// Appends the first `UNIT` bytes of all records of a group, then the next `UNIT` bytes, and so on.
fn transpose<const UNIT: usize>(bytes: &[u8], group: &Group, records: &[u32], target: &mut Vec<u8>) {
    for at in (0..usize::from(group.length)).step_by(UNIT) {
        let unit = |&record: &u32| -> [u8; UNIT] { std::array::from_fn(|i| bytes[record as usize + at + i]) };
        target.extend(records.iter().flat_map(unit));
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
