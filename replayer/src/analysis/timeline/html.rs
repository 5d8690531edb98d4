//! A page that shows a trace, in one file: `page.html` with the data in it.
//!
//! The data are columns, by lane: what is drawn at once (steps, categories, names) and, in blocks that the page unpacks when
//! they are asked for, what `dump` says of each event.

use super::super::family::Family;
use super::super::recording::Recording;
use super::chart::{Category, chart};
use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;

const PAGE: &str = include_str!("page.html");
/// Where the data go in the page.
const DATA: &str = "/* DATA */";
/// Events of a block of texts; the page knows it from the data.
const BLOCK: usize = 4096;
/// Longer texts are cut.
const TEXT_MOST: usize = 400;
/// The bit of a category's byte that says that the call has failed.
const FAILED: u8 = 0x80;

/// The page's data.
#[derive(Serialize)]
struct Data<'a> {
    title: String,
    ends_early: Option<&'a str>,
    categories: Vec<&'static str>,
    names: Vec<String>,
    block: usize,
    lanes: Vec<LaneData>,
    /// Stream, step, stream, step: from whom to whom the right to run went. Packed numbers of 4 bytes.
    hand_overs: String,
}

#[derive(Serialize)]
struct LaneData {
    stream: u32,
    leader: u32,
    label: String,
    end: String,
    count: usize,
    /// Numbers of 4 bytes, each less the one before, packed.
    steps: String,
    /// Numbers of the events in their stream, as the steps.
    events: String,
    /// Bytes, packed.
    categories: String,
    /// Numbers of 2 bytes, packed.
    names: String,
    /// Packed texts, each ended by a line feed.
    texts: Vec<String>,
}

#[derive(Default)]
struct Lane {
    leader: u32,
    steps: Vec<u32>,
    events: Vec<u32>,
    categories: Vec<u8>,
    names: Vec<u16>,
    text: Vec<u8>,
    texts: Vec<String>,
}

/// Writes the page.
pub fn write(recording: &Recording, family: &Family, title: String, out: &mut impl Write) -> Result<()> {
    let mut lanes = BTreeMap::<u32, Lane>::new();
    let mut names = HashMap::<String, u16>::new();
    let mut hand_overs = Vec::new();
    chart(recording, family, |mark| {
        let stream = mark.place.stream;
        if let Some((from, step)) = mark.handed_over {
            hand_overs.extend([from, step, stream, mark.step]);
        }
        let next = u16::try_from(names.len()).unwrap_or(u16::MAX);
        let name = match names.get(mark.name) {
            Some(name) => *name,
            None => *names.entry(mark.name.to_owned()).or_insert(next),
        };
        let lane = lanes.entry(stream).or_insert_with(|| Lane { leader: mark.leader, ..Lane::default() });
        lane.steps.push(mark.step);
        lane.events.push(u32::try_from(mark.place.event).unwrap_or(u32::MAX));
        lane.categories.push(mark.category as u8 | if mark.failed { FAILED } else { 0 });
        lane.names.push(name);
        let mut shown = mark.text.chars().take(TEXT_MOST).map(|c| if c == '\n' { ' ' } else { c });
        lane.text.extend(shown.by_ref().collect::<String>().bytes());
        lane.text.push(b'\n');
        if lane.steps.len().is_multiple_of(BLOCK) {
            lane.texts.push(packed(&std::mem::take(&mut lane.text))?);
        }
        Ok(())
    })?;
    let mut all_names = vec![String::new(); names.len()];
    for (name, number) in names {
        if let Some(place) = all_names.get_mut(usize::from(number)) {
            *place = name;
        }
    }
    let lanes = lanes.into_iter().map(|(stream, lane)| lane.finish(stream, family));
    let data = Data {
        title,
        ends_early: recording.ends_early(),
        categories: Category::ALL.map(Category::name).to_vec(),
        names: all_names,
        block: BLOCK,
        lanes: lanes.collect::<Result<_>>()?,
        hand_overs: numbers(&hand_overs)?,
    };
    let (before, after) = PAGE.split_once(DATA).context("the page has no place for data")?;
    // Nothing in the data may end the script that they are in.
    let data = serde_json::to_string(&data).context("cannot write JSON")?.replace('<', "\\u003c");
    out.write_all(before.as_bytes())?;
    out.write_all(data.as_bytes())?;
    out.write_all(after.as_bytes())?;
    Ok(())
}

impl Lane {
    fn finish(mut self, stream: u32, family: &Family) -> Result<LaneData> {
        if !self.text.is_empty() {
            self.texts.push(packed(&self.text)?);
        }
        let member = family.members.get(&stream);
        let names: Vec<u8> = self.names.iter().flat_map(|name| name.to_le_bytes()).collect();
        Ok(LaneData {
            stream,
            leader: self.leader,
            label: member
                .map_or_else(String::new, |member| format!("{} {}", member.thread, member.short_name())),
            end: member.map_or_else(String::new, |member| member.end.to_string()),
            count: self.steps.len(),
            steps: numbers(&differences(&self.steps))?,
            events: numbers(&differences(&self.events))?,
            categories: packed(&self.categories)?,
            names: packed(&names)?,
            texts: self.texts,
        })
    }
}

fn differences(numbers: &[u32]) -> Vec<u32> {
    let before = std::iter::once(&0).chain(numbers);
    numbers.iter().zip(before).map(|(number, before)| number.wrapping_sub(*before)).collect()
}

fn numbers(numbers: &[u32]) -> Result<String> {
    packed(&numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>())
}

/// Compressed, as text.
fn packed(bytes: &[u8]) -> Result<String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .map(|packed| STANDARD.encode(packed))
        .context("cannot compress")
}
