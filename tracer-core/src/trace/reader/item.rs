//! The items of an event.

use std::mem::size_of;

use xxhash_rust::xxh3::xxh3_64;

use crate::event::{FileChange, FileRange, ImageIdentity, InputSummary, ItemHeader, Tag, padded};

/// The items of one event, checked, in the order in which they were logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Items(Vec<u8>);

/// One item; see [`Tag`] for what each means. `argument` says to which argument of the call it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those that the tags describe")]
pub enum Item<'a> {
    /// [`Tag::Output`].
    Output { argument: u8, address: u64, bytes: &'a [u8] },
    /// [`Tag::OutputFile`].
    OutputFile { argument: u8, address: u64, range: FileRange },
    /// [`Tag::Text`].
    Text { argument: u8, address: u64, text: &'a [u8] },
    /// [`Tag::Input`] or [`Tag::ShortInput`]; `prefix` is at most [`InputSummary::PREFIX`] bytes long.
    Input { argument: u8, address: u64, summary: InputSummary, prefix: &'a [u8] },
    /// [`Tag::Stream`].
    Stream { stream: u32 },
    /// [`Tag::MapFile`].
    MapFile { file: u64, range: FileRange },
    /// [`Tag::MapPath`].
    MapPath { offset: u64, path: &'a [u8] },
    /// [`Tag::Ticket`].
    Ticket { ticket: u64 },
    /// [`Tag::Moved`].
    Moved { bytes: &'a [u8] },
    /// [`Tag::Slept`].
    Slept { nanoseconds: u64 },
    /// [`Tag::Executable`].
    Executable { path: &'a [u8] },
    /// [`Tag::Arguments`].
    Arguments { strings: Strings<'a> },
    /// [`Tag::Environment`].
    Environment { strings: Strings<'a> },
    /// [`Tag::Maps`].
    Maps { text: &'a [u8] },
    /// [`Tag::AuxiliaryVector`]: pairs of 8-byte numbers, type and value.
    AuxiliaryVector { bytes: &'a [u8] },
    /// [`Tag::Directory`].
    Directory { path: &'a [u8] },
    /// [`Tag::Identity`].
    Identity { identity: ImageIdentity },
    /// [`Tag::FileChange`].
    FileChange { file: u64, change: FileChange },
    /// [`Tag::FileBytes`].
    FileBytes { offset: u64, bytes: &'a [u8] },
    /// [`Tag::State`]; numbers of 8 bytes.
    State { address: u64, bytes: &'a [u8] },
}

/// Strings that each end with a NUL; iterates over them without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strings<'a>(&'a [u8]);

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|&byte| byte == 0)?;
        let (string, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(string)
    }
}

impl Items {
    /// Of an event without items.
    pub(super) const NONE: &'static Items = &Items(Vec::new());

    /// The items in `bytes`, or what is wrong with them.
    pub(super) fn parse(bytes: &[u8]) -> Result<Items, String> {
        let mut rest = bytes;
        let mut number = 0;
        while !rest.is_empty() {
            let (_, behind) = split(rest).map_err(|what| format!("item {number}: {what}"))?;
            rest = behind;
            number += 1;
        }
        Ok(Items(bytes.to_vec()))
    }

    /// The items one by one.
    pub fn iter(&self) -> impl Iterator<Item = Item<'_>> {
        let mut rest = self.as_bytes();
        std::iter::from_fn(move || {
            // What is wrong with an item takes time to say, and at the end that would be said of one that is not there.
            if rest.is_empty() {
                return None;
            }
            // `parse` went over the same bytes: nothing is wrong with them.
            let (item, behind) = split(rest).ok()?;
            rest = behind;
            Some(item)
        })
    }

    /// The items as they are stored, headers and padding included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The first item of `bytes` and what follows it, or what is wrong with it.
fn split(bytes: &[u8]) -> Result<(Item<'_>, &[u8]), String> {
    let (header, rest) =
        bytes.split_first_chunk().ok_or_else(|| format!("only {} bytes remain for it", bytes.len()))?;
    let header = ItemHeader::from_bytes(*header);
    let length = header.length as usize;
    if padded(length) > rest.len() {
        return Err(format!("it declares {length} bytes of data, but {} remain", rest.len()));
    }
    let (data, rest) = rest.split_at(padded(length));
    let (data, padding) = data.split_at(length);
    if header.reserved != 0 || padding.iter().any(|&byte| byte != 0) {
        return Err("its reserved bytes or its padding are not zero".into());
    }
    let tag =
        Tag::from_byte(header.tag).ok_or_else(|| format!("its tag is {}, which is unknown", header.tag))?;
    let item = parse(tag, header, data).ok_or_else(|| {
        format!("tag {tag:?} does not go with {length} bytes of data and the value {:#x}", header.value)
    })?;
    Ok((item, rest))
}

/// The item with this header and data, `None` if they contradict each other.
fn parse(tag: Tag, header: ItemHeader, data: &[u8]) -> Option<Item<'_>> {
    let ItemHeader { argument, value, .. } = header;
    let address = value;
    let strings = || (data.is_empty() || data.ends_with(&[0])).then_some(Strings(data));
    Some(match tag {
        Tag::Output => Item::Output { argument, address, bytes: data },
        Tag::OutputFile => Item::OutputFile { argument, address, range: file_range(data)? },
        Tag::Text => Item::Text { argument, address, text: data },
        Tag::Input => {
            let (words, prefix) = data.split_at_checked(size_of::<InputSummary>())?;
            let [length, hash] = words_of(words)?;
            if prefix.len() > InputSummary::PREFIX || prefix.len() as u64 > length {
                return None;
            }
            Item::Input { argument, address, summary: InputSummary { length, hash }, prefix }
        }
        Tag::ShortInput if data.len() <= InputSummary::PREFIX => {
            let summary = InputSummary { length: data.len() as u64, hash: xxh3_64(data) };
            Item::Input { argument, address, summary, prefix: data }
        }
        Tag::Stream if data.is_empty() => Item::Stream { stream: u32::try_from(value).ok()? },
        Tag::MapFile => Item::MapFile { file: value, range: file_range(data)? },
        Tag::MapPath => Item::MapPath { offset: value, path: data },
        Tag::FileChange => {
            let [size, offset, length, source] = words_of(data)?;
            Item::FileChange { file: value, change: FileChange { size, offset, length, source } }
        }
        Tag::FileBytes => Item::FileBytes { offset: value, bytes: data },
        Tag::State if data.len().is_multiple_of(8) => Item::State { address, bytes: data },
        Tag::Moved => Item::Moved { bytes: data },
        Tag::Ticket if data.is_empty() => Item::Ticket { ticket: value },
        Tag::Slept if data.is_empty() => Item::Slept { nanoseconds: value },
        Tag::State | Tag::Stream | Tag::Ticket | Tag::Slept | Tag::ShortInput => return None,
        Tag::Executable => Item::Executable { path: data },
        Tag::Arguments => Item::Arguments { strings: strings()? },
        Tag::Environment => Item::Environment { strings: strings()? },
        Tag::Maps => Item::Maps { text: data },
        Tag::AuxiliaryVector if data.len().is_multiple_of(16) => Item::AuxiliaryVector { bytes: data },
        Tag::AuxiliaryVector => return None,
        Tag::Directory => Item::Directory { path: data },
        Tag::Identity => {
            let [
                process_and_thread,
                parent_and_stream,
                soft,
                hard,
                ignored_signals,
                blocked_signals,
                low,
                high,
            ] = words_of(data)?;
            let halves = |word: u64| (word as u32, (word >> 32) as u32);
            let (process, thread) = halves(process_and_thread);
            let (parent, stream) = halves(parent_and_stream);
            Item::Identity {
                identity: ImageIdentity {
                    process,
                    thread,
                    parent,
                    stream,
                    stack_limit: [soft, hard],
                    ignored_signals,
                    blocked_signals,
                    random: [low, high],
                },
            }
        }
    })
}

fn file_range(data: &[u8]) -> Option<FileRange> {
    let [file, offset, length] = words_of(data)?;
    offset.checked_add(length)?;
    Some(FileRange { file, offset, length })
}

/// `data` as exactly `COUNT` little-endian numbers.
fn words_of<const COUNT: usize>(data: &[u8]) -> Option<[u64; COUNT]> {
    let (words, rest) = data.as_chunks::<8>();
    let words: &[[u8; 8]; COUNT] = words.try_into().ok()?;
    rest.is_empty().then(|| words.map(u64::from_le_bytes))
}
