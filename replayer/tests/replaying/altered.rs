//! Changing a trace in ways that leave it well-formed.

use std::path::Path;
use tracer_core::event::{Header, Kind};
use tracer_core::trace::chunk::{Index, Writer};
use tracer_core::trace::directory::events_path;

/// The streams of a trace, with their bytes.
pub fn streams(trace: &Path) -> Vec<(u32, Vec<u8>)> {
    let index = Index::open(&events_path(trace)).unwrap();
    let read = |stream: u32| {
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut index.stream(stream).unwrap(), &mut bytes).unwrap();
        (stream, bytes)
    };
    index.streams().map(|summary| read(summary.stream)).collect()
}

/// The bytes of the events of stream 0.
fn events(trace: &Path) -> Vec<Vec<u8>> {
    let (_, bytes) = streams(trace).remove(0);
    let mut events = Vec::new();
    let mut rest = &bytes[..];
    while let Some(header) = rest.first_chunk() {
        let length = Header::SIZE + Header::from_bytes(*header).length as usize;
        let (event, behind) = rest.split_at(length);
        events.push(event.to_vec());
        rest = behind;
    }
    events
}

fn write(trace: &Path, events: &[Vec<u8>], complete: bool) {
    rewrite(trace, &[(0, events.concat())], complete);
}

/// Gives a trace other streams.
pub fn rewrite(trace: &Path, streams: &[(u32, Vec<u8>)], complete: bool) {
    let path = events_path(trace);
    std::fs::remove_file(&path).unwrap();
    let mut writer = Writer::create(&path).unwrap();
    for (stream, bytes) in streams {
        writer.append(*stream, bytes, complete).unwrap();
    }
    if complete {
        writer.finish().unwrap();
    }
}

/// Replaces text in every system call of a trace of one stream by text of the same length.
pub fn replace_in_calls(trace: &Path, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let mut events = events(trace);
    let mut found = false;
    for event in events.iter_mut().filter(|event| event[0] == Kind::Call as u8) {
        while let Some(at) = event.windows(from.len()).position(|window| window == from.as_bytes()) {
            event[at..at + to.len()].copy_from_slice(to.as_bytes());
            found = true;
        }
    }
    assert!(found, "{from} is in no system call");
    write(trace, &events, true);
}

/// Drops the last events of a trace of one stream, as if the recorder had been killed there.
pub fn cut(trace: &Path, dropped: usize) {
    let mut events = events(trace);
    events.truncate(events.len() - dropped);
    write(trace, &events, false);
}
