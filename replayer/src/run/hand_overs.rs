//! A list of hand-overs as a file: what `bisect` writes and `record --hand-overs` makes.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::num::NonZeroU64;
use std::path::Path;
use tracer_core::session::schedule::{ANY, HandOver, LONGEST, place};

/// What the file says that it is.
const FORMAT: &str = "imitate hand-overs";

/// A list, and the seed of the recording that it comes from.
pub struct HandOvers {
    /// By it a replay knows that there are hooks at libc's locks.
    pub seed: NonZeroU64,
    /// Those of a thread in a row.
    pub list: Vec<HandOver>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    seed: NonZeroU64,
    hand_overs: Vec<Row>,
}

/// A [`HandOver`]. Threads are named by hexadecimal digits: not every reader of JSON has integers of 64 bits.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// The thread that runs, and the one that runs then.
    from: String,
    to: String,
    place: Place,
    events: u64,
    /// None for however many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    points: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passages: Option<u64>,
    /// If not, it only says how often the thread comes somewhere.
    #[serde(default = "wanted", skip_serializing_if = "Clone::clone")]
    wanted: bool,
}

fn wanted() -> bool {
    true
}

/// Where a thread hands over: a [`place`], by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Before an event.
    Event,
    /// At one of libc's functions, or where it spins.
    Point,
    /// Where it waits or ends.
    Wait,
    /// Between two instructions.
    Stop,
}

impl Place {
    /// The one of this number.
    pub fn of(number: u32) -> Place {
        match number {
            place::EVENT => Place::Event,
            place::POINT => Place::Point,
            place::STOP => Place::Stop,
            _ => Place::Wait,
        }
    }

    fn number(self) -> u32 {
        match self {
            Place::Event => place::EVENT,
            Place::Point => place::POINT,
            Place::Wait => place::WAIT,
            Place::Stop => place::STOP,
        }
    }
}

impl HandOvers {
    /// Reads a file.
    ///
    /// Errors: it cannot be read, or is no list that can be made; the message says where, and why.
    pub fn read(path: &Path) -> Result<HandOvers> {
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        HandOvers::parse(&bytes).with_context(|| format!("{} is not a list of hand-overs", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<HandOvers> {
        let File { format, seed, hand_overs } = serde_json::from_slice(bytes)?;
        if format != FORMAT {
            bail!("expected the format {FORMAT:?}, found {format:?}");
        }
        if hand_overs.len() > LONGEST {
            bail!("there are {} hand-overs, and at most {LONGEST} can be made", hand_overs.len());
        }
        let mut list = Vec::<HandOver>::new();
        let mut behind = HashSet::new();
        for (number, row) in hand_overs.iter().enumerate() {
            let next = row.hand_over().with_context(|| format!("hand-over {}", number + 1))?;
            match list.last() {
                Some(last) if last.thread == next.thread => {
                    if (next.events, next.points) < (last.events, last.points) {
                        bail!("hand-over {} of the same thread comes before the one above it", number + 1);
                    }
                }
                last => {
                    behind.extend(last.map(|last| last.thread));
                    if behind.contains(&next.thread) {
                        bail!("hand-over {} is not beside the others of its thread", number + 1);
                    }
                }
            }
            list.push(next);
        }
        Ok(HandOvers { seed, list })
    }

    /// Writes a file.
    ///
    /// Errors: it is there already, or cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let rows = self.list.iter().map(Row::of).collect();
        let file = File { format: FORMAT.into(), seed: self.seed, hand_overs: rows };
        let target =
            std::fs::File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
        serde_json::to_writer_pretty(target, &file)
            .with_context(|| format!("cannot write to {}", path.display()))
    }
}

impl Row {
    fn of(hand_over: &HandOver) -> Row {
        let at_stop = hand_over.place == place::STOP;
        Row {
            from: format!("{:x}", hand_over.thread),
            to: format!("{:x}", hand_over.target),
            place: Place::of(hand_over.place),
            events: hand_over.events,
            points: (hand_over.points != ANY).then_some(hand_over.points),
            address: at_stop.then(|| format!("{:x}", hand_over.address)),
            passages: at_stop.then_some(hand_over.passages),
            wanted: hand_over.wanted != 0,
        }
    }

    fn hand_over(&self) -> Result<HandOver> {
        let digits = |text: &str| {
            u64::from_str_radix(text, 16)
                .with_context(|| format!("expected hexadecimal digits, found {text:?}"))
        };
        let stop = match (self.place, &self.address, self.passages) {
            (Place::Stop, Some(address), Some(passages)) => (digits(address)?, passages),
            (Place::Stop, _, _) => bail!("a stop has an address and passages"),
            (_, None, None) => (0, 0),
            _ => bail!("only a stop has an address or passages"),
        };
        Ok(HandOver {
            thread: digits(&self.from)?,
            events: self.events,
            points: self.points.unwrap_or(ANY),
            target: digits(&self.to)?,
            address: stop.0,
            passages: stop.1,
            place: self.place.number(),
            wanted: self.wanted.into(),
            ..HandOver::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"{"format": "imitate hand-overs", "seed": 7, "hand_overs": [
        {"from": "a", "to": "b", "place": "event", "events": 3, "points": 1},
        {"from": "a", "to": "b", "place": "wait", "events": 4},
        {"from": "b", "to": "a", "place": "stop", "events": 1, "points": 0, "address": "5555", "passages": 9, "wanted": false}]}"#;

    #[test]
    fn what_is_written_is_read() {
        let read = HandOvers::parse(LIST.as_bytes()).unwrap();
        assert_eq!((read.seed.get(), read.list.len()), (7, 3));
        assert_eq!(read.list[2].address, 0x5555);
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("list");
        read.write(&path).unwrap();
        assert_eq!(HandOvers::read(&path).unwrap().list, read.list);
        assert!(read.write(&path).is_err(), "a file is not overwritten");
    }

    #[test]
    fn what_is_no_list_is_refused_by_name() {
        for (from, to, says) in [
            ("imitate hand-overs", "other", "expected the format"),
            ("\"seed\": 7", "\"seed\": 0", "nonzero"),
            ("\"place\": \"event\"", "\"place\": \"here\"", "unknown variant `here`"),
            (
                "\"from\": \"a\", \"to\": \"b\", \"place\": \"wait\"",
                "\"from\": \"\", \"to\": \"b\", \"place\": \"wait\"",
                "hexadecimal",
            ),
            ("\"events\": 4", "\"events\": 2", "hand-over 2 of the same thread"),
            ("\"events\": 4", "\"events\": -4", "invalid value"),
            ("\"from\": \"b\"", "\"from\": \"a\"", "hand-over 3 of the same thread"),
            ("\"place\": \"stop\"", "\"place\": \"wait\"", "only a stop"),
            (", \"passages\": 9", "", "a stop has"),
            ("\"wanted\"", "\"want\"", "unknown field"),
            ("]}", "", "EOF"),
        ] {
            let text = LIST.replace(from, to);
            assert_ne!(text, LIST);
            let error = format!("{:#}", HandOvers::parse(text.as_bytes()).err().expect(says));
            assert!(error.contains(says), "{error}, not {says}");
        }
        let apart = LIST.replacen("\"from\": \"a\"", "\"from\": \"b\"", 1);
        let error = format!("{:#}", HandOvers::parse(apart.as_bytes()).err().unwrap());
        assert!(error.contains("hand-over 3 is not beside"), "{error}");
    }
}
