//! `STREAM:EVENT`: how an event is named on the command line and in reports.

use std::fmt;
use std::str::FromStr;

/// An event of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of its stream.
    pub stream: u32,
    /// Its number in the stream, from 0 on.
    pub event: u64,
}

impl Place {
    /// `STREAM:EVENT`, or `EVENT` in the first stream.
    pub fn from_event(text: &str) -> Result<Place, String> {
        match text.parse() {
            Ok(event) => Ok(Place { stream: 0, event }),
            Err(_) => text.parse().map_err(|_| {
                "expected EVENT or STREAM:EVENT, such as 12 or 0:12 (imitate dump --places)".to_owned()
            }),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stream, self.event)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        let place = text.split_once(':').and_then(|(stream, event)| {
            Some(Place { stream: stream.parse().ok()?, event: event.parse().ok()? })
        });
        place.ok_or_else(|| "expected STREAM:EVENT, two numbers, such as 0:12".to_owned())
    }
}

impl serde::Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
