//! Threads that wait for each other.

use super::super::watched::Waiting;
use std::collections::{BTreeMap, BTreeSet};

/// The circles of threads each of which waits for the next. A thread that waits for several, who read, waits for each.
pub fn deadlocked(waiting: &[Waiting]) -> Vec<Vec<&Waiting>> {
    let by_stream: BTreeMap<u32, &Waiting> =
        waiting.iter().map(|waiting| (waiting.taking.stream, waiting)).collect();
    let mut known = BTreeSet::new();
    let mut circles = Vec::new();
    for &start in by_stream.keys() {
        if known.contains(&start) {
            continue;
        }
        if let Some(circle) = circle(start, &by_stream) {
            let new = circle.iter().all(|waiting| known.insert(waiting.taking.stream));
            if new {
                circles.push(circle);
            }
        }
    }
    circles
}

/// The shortest circle that leads back to `start`.
fn circle<'a>(start: u32, waiting: &BTreeMap<u32, &'a Waiting>) -> Option<Vec<&'a Waiting>> {
    let mut paths = std::collections::VecDeque::from([vec![start]]);
    let mut met = BTreeSet::new();
    while let Some(path) = paths.pop_front() {
        let next = path.last().and_then(|stream| waiting.get(stream))?;
        for &holder in &next.holders {
            if holder == start {
                return path.iter().map(|stream| waiting.get(stream).copied()).collect();
            }
            if waiting.contains_key(&holder) && met.insert(holder) {
                paths.push_back([&path[..], &[holder]].concat());
            }
        }
    }
    None
}
