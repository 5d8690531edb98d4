//! `imitate bisect`.

mod laboratory;
mod places;
mod search;

use super::family::Family;
use super::recording::Recording;
use crate::arguments::{Bisect, Program};
use crate::manage::locate;
use anyhow::{Result, bail};
use laboratory::Laboratory;
use std::num::NonZeroU64;
use tracer_core::trace::reader::{Body, Item};

pub fn bisect(options: &Bisect) -> Result<()> {
    let directory = locate(Some(&options.failing))?;
    let recording = Recording::open(&directory)?;
    let family = Family::of(&recording);
    let mut list = places::hand_overs(&recording, &family)?;
    let told = crate::run::watch(&directory, crate::run::Accesses::HandOvers)?;
    use tracer_core::session::watch::what;
    for r in &told.records {
        if r.what == what::STOPS || r.what == what::HANDS_OVER { eprintln!("{} {} ev {} {:#x} {}", if r.what==what::STOPS {"STOPS"} else {"HANDS"}, r.stream, r.event, r.object, r.mutex); }
        if r.what == what::STOPS { for l in &mut list { if l.from == r.stream && l.event == r.event { l.hand_over.passages = r.mutex; } } }
    }
    let Some(seed) = recording.manifest.chaos().and_then(NonZeroU64::new) else { bail!("no chaos") };
    let mut environment = Vec::new();
    for event in recording.events(0).into_iter().flatten() {
        if let Body::Start { items } = &event?.body {
            for item in items.iter() {
                if let Item::Environment { strings } = item {
                    use std::os::unix::ffi::OsStrExt;
                    environment = strings.map(|s| std::ffi::OsStr::from_bytes(s).to_owned()).collect();
                }
            }
            break;
        }
    }
    for (n, l) in list.iter().enumerate() {
        eprintln!("{n}: {:?}", l);
    }
    let program = Program { command: recording.manifest.command.iter().map(|c| c.as_path().as_os_str().to_owned()).collect() };
    let lab = Laboratory::new(program, super::super::arguments::recording_defaults(), seed, environment, options.until.clone())?;
    let all: Vec<usize> = (0..list.len()).collect();
    for wanted in [&all[..], &[]] {
        for _ in 0..options.runs {
            let found = lab.with(&list, wanted)?;
            let o = found.outcomes.unwrap();
            eprintln!("{} fails {} {:?} others {}", found.ending, found.fails, o.each, o.others);
        }
    }
    let part = search::minimise(list.len(), &mut |part| { let f = lab.with(&list, part)?; eprintln!("{part:?} {}", f.fails); Ok(f.fails)})?;
    eprintln!("{part:?}");
    Ok(())
}
