//! A replay that is watched: what its threads did to synchronisation objects, and to memory.

use super::foreground;
use super::program::{Outputs, Running};
use super::replay::{Prepared, finish, other_end, prepare};
use crate::manage::ending;
use crate::status::signal_name;
use anyhow::{Context, Result, bail};
use std::fs::{File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::companion::{Audience, ReplayEnd};
use tracer_core::session::check_level;
use tracer_core::session::watch::{
    CHUNK, CHUNKS, PAGE_LIST, PAGES, Record, STACK_LIST, STACKS, accesses, chunk_offset, what,
};
use tracer_core::tell;
use tracer_core::trace::manifest::Manifest;

/// What a watched replay told.
pub struct Watched {
    /// In the order in which it happened.
    pub records: Vec<Record>,
    /// There was no room for more.
    pub is_cut: bool,
    /// Why the recording ends before the program does, if that is so.
    pub ends_early: Option<String>,
}

impl Watched {
    /// Where threads were stopped between two instructions: the stream, the event that says so, and at which of the thread's
    /// passages of the instruction since its last hook. Told of with [`Accesses::HandOvers`] only.
    pub fn stops(&self) -> impl Iterator<Item = (u32, u64, u64)> + '_ {
        let stops = self.records.iter().filter(|record| record.what == what::STOPS);
        stops.map(|record| (record.stream, record.event, record.mutex))
    }

    /// Says on stderr that the recording ends before the program does, if that is so.
    pub fn say_how_it_ends(&self) {
        if let Some(how) = &self.ends_early {
            tell!("the recording ends before the program did: {how}");
        }
    }
}

/// What a replay is to tell beside.
#[derive(Clone, Copy, Debug)]
pub enum Accesses<'a> {
    /// Of libc's synchronisation functions only.
    Untold,
    /// Each hand-over, with the stack of the thread that had the right to run.
    HandOvers,
    /// The pages that more than one thread uses.
    Pages,
    /// Those to these pages, and of these the stacks: of each the stream, and how many were told of that before. Both in
    /// ascending order.
    Of(&'a [u64], &'a [[u64; 2]]),
}

/// Replays the trace in `directory`, without its outputs.
///
/// Errors: it cannot be replayed here, or the replay was not identical.
pub fn watch(directory: &Path, told: Accesses) -> Result<Watched> {
    match watch_until_divergence(directory, told)? {
        (watched, None) => Ok(watched),
        (_, Some(report)) => bail!("the trace has to be replayed for this, and:\n{report}"),
    }
}

/// The same for what counts although the replay was not identical to its end: what was told until then, and the report of the
/// divergence.
pub fn watch_until_divergence(directory: &Path, told: Accesses) -> Result<(Watched, Option<String>)> {
    let Prepared { opening, launch, working_directory, content: _content, root: _root } =
        prepare(directory, check_level::CHEAP, true, Audience::Launcher)?;
    let memory = opening.memory().try_clone_to_owned().context("cannot keep the replay's memory")?;
    let memory = File::from(memory);
    let control = ControlMapping::new(memory.as_fd()).context("cannot map the replay's memory")?;
    ask(&control, &memory, told)?;
    let nowhere = || OpenOptions::new().write(true).open("/dev/null").context("cannot open /dev/null");
    let outputs = Outputs { stdout: nowhere()?, stderr: nowhere()? };
    let (started, program) = Running::start(opening, &launch, Some(&working_directory), Some(&outputs))?;
    let (ended, end) = finish(started, &program?, || ())?;
    if let Some(signal) = foreground::asked_to_end() {
        // Passed on to the program, which may have ended of it as if that were its end.
        bail!("the trace has to be replayed for this, and {} ended the replay", signal_name(signal));
    }
    let (ends_early, divergence) = match end {
        ReplayEnd::Finished => (None, other_end(ending(&Manifest::load(directory)?), ended)),
        ReplayEnd::EndsEarly(how) => (Some(how), None),
        ReplayEnd::Diverged(report) => (None, Some(report)),
        ReplayEnd::Failed(reason) => {
            bail!("the trace has to be replayed for this, and the replay had to stop: {reason}")
        }
    };
    let taken = control.watch.chunks.load(Ordering::Acquire) as usize;
    let records = read(&memory, taken.min(CHUNKS))?;
    Ok((Watched { records, is_cut: taken > CHUNKS, ends_early }, divergence))
}

fn ask(control: &ControlMapping, memory: &File, told: Accesses) -> Result<()> {
    let what = match told {
        Accesses::Untold => accesses::NONE,
        Accesses::HandOvers => {
            control.watch.hand_overs.store(1, Ordering::Relaxed);
            accesses::NONE
        }
        Accesses::Pages => accesses::PAGES,
        Accesses::Of(pages, stacks) => {
            let (pages, stacks) = (&pages[..pages.len().min(PAGES)], &stacks[..stacks.len().min(STACKS)]);
            let bytes = |words: &[u64]| words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<u8>>();
            memory
                .write_all_at(&bytes(pages), PAGE_LIST as u64)
                .and_then(|()| memory.write_all_at(&bytes(stacks.as_flattened()), STACK_LIST as u64))
                .context("cannot write to the replay's memory")?;
            control.watch.pages.store(pages.len() as u32, Ordering::Relaxed);
            control.watch.stacks.store(stacks.len() as u32, Ordering::Relaxed);
            accesses::ALL
        }
    };
    control.watch.accesses.store(what, Ordering::Relaxed);
    Ok(())
}

fn read(memory: &File, chunks: usize) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let mut bytes = vec![0; CHUNK];
    for chunk in 0..chunks {
        memory
            .read_exact_at(&mut bytes, chunk_offset(chunk) as u64)
            .context("cannot read what the replay told")?;
        let (all, _) = bytes.as_chunks::<{ size_of::<Record>() }>();
        records.extend(all.iter().map(Record::from_bytes).take_while(|record| record.sequence != 0));
    }
    records.sort_unstable_by_key(|record| record.sequence);
    Ok(records)
}
