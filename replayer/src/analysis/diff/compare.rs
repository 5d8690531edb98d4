//! Whether two events are the same as far as it matters.
//!
//! Two runs of one program are never equal in everything: ids, times and random numbers differ, and addresses once anything
//! else has. None of that is a difference here.

use super::super::call::Call;
use serde::Serialize;
use std::collections::HashMap;
use tracer_core::event::Kind;
use tracer_core::syscalls::{Type, written_descriptor};
use tracer_core::trace::reader::{Event, Item};

/// In what two events differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aspect {
    /// Other threads ran.
    HandOver,
    /// Something else was done.
    Call,
    /// The same was done to something else.
    Arguments,
    /// It had another result.
    Result,
    /// Other data were read.
    DataRead,
    /// Other data were written.
    DataWritten,
    /// One has a thread or process that the other has not.
    Missing,
}

impl std::fmt::Display for Aspect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Aspect::HandOver => "other threads ran",
            Aspect::Call => "they did different things",
            Aspect::Arguments => "the arguments differ",
            Aspect::Result => "the results differ",
            Aspect::DataRead => "the data that were read differ",
            Aspect::DataWritten => "the data that were written differ",
            Aspect::Missing => "one has a thread or process more",
        })
    }
}

/// Calls whose result is an id or an address, or depends on time.
const OTHER_RESULTS: [i64; 19] = [
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_getppid,
    libc::SYS_getpgrp,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_setsid,
    libc::SYS_set_tid_address,
    libc::SYS_clone,
    libc::SYS_clone3,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_brk,
    libc::SYS_shmat,
    libc::SYS_time,
    libc::SYS_times,
    libc::SYS_alarm,
];

/// Calls that give times, random numbers, inode numbers, or how much there is of something.
const OTHER_DATA: [i64; 28] = [
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_time,
    libc::SYS_times,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
    libc::SYS_stat,
    libc::SYS_fstat,
    libc::SYS_lstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_sysinfo,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigaction,
    libc::SYS_clone3,
];

/// Which id of the first trace is which of the second.
pub type Ids = HashMap<u64, u64>;

/// In what `first` and `second` differ; `None` if in nothing that matters.
pub fn compare(first: &Event, second: &Event, ids: &Ids) -> Option<Aspect> {
    if (first.kind, first.number) != (second.kind, second.number) {
        return Some(Aspect::Call);
    }
    let same = |one: u64, other: u64| one == other || ids.get(&one) == Some(&other);
    let (Some(one), Some(other)) = (Call::of(first), Call::of(second)) else {
        return (first.kind == Kind::Start && arguments(first) != arguments(second))
            .then_some(Aspect::Arguments);
    };
    let row = one.row();
    let differs = |(index, (one, other)): (usize, (&u64, &u64))| {
        let kind = row.and_then(|row| row.arguments.get(index)).map(|argument| argument.kind);
        !same(*one, *other) && kind.is_some_and(is_number)
    };
    if one.arguments.iter().zip(&other.arguments).enumerate().any(differs) || texts(&one) != texts(&other) {
        // How much is written is a property of the data.
        let to = |call: &Call| call.row().and_then(|row| written_descriptor(row, &call.arguments));
        let data = to(&one).is_some() && to(&one) == to(&other);
        return Some(if data { Aspect::DataWritten } else { Aspect::Arguments });
    }
    let number = one.number;
    if !same(one.result as u64, other.result as u64)
        && (one.failed() || other.failed() || !OTHER_RESULTS.contains(&number))
    {
        return Some(Aspect::Result);
    }
    if !OTHER_DATA.contains(&number) && outputs(&one) != outputs(&other) {
        return Some(Aspect::DataRead);
    }
    (!OTHER_DATA.contains(&number) && inputs(&one) != inputs(&other)).then_some(Aspect::DataWritten)
}

/// Whether an argument of this kind means the same in every run.
fn is_number(kind: Type) -> bool {
    matches!(
        kind,
        Type::Int
            | Type::Unsigned
            | Type::Long
            | Type::Size
            | Type::Mode
            | Type::Descriptor
            | Type::WrittenDescriptor
            | Type::ReadDescriptor
            | Type::DirectoryDescriptor
            | Type::Signal
            | Type::Named(_)
            | Type::Command(_)
    )
}

fn arguments(event: &Event) -> Vec<&[u8]> {
    let lists = event.items().iter().filter_map(|item| match item {
        Item::Arguments { strings } => Some(strings),
        _ => None,
    });
    lists.flatten().collect()
}

fn texts<'a>(call: &Call<'a>) -> Vec<&'a [u8]> {
    let texts = call.items.iter().filter_map(|item| match item {
        Item::Text { text, .. } => Some(text),
        _ => None,
    });
    texts.collect()
}

/// What the kernel wrote, without where. Of a directory, only the names in it, not their inodes and places.
fn outputs<'a>(call: &Call<'a>) -> Vec<(&'a [u8], u64)> {
    if call.number == libc::SYS_getdents64 {
        let mut names: Vec<_> = directory(call.output(1).unwrap_or_default()).map(|name| (name, 0)).collect();
        names.sort_unstable();
        return names;
    }
    let outputs = call.items.iter().filter_map(|item| match item {
        Item::Output { bytes, .. } => Some((bytes, 0)),
        Item::OutputFile { range, .. } => Some((&[][..], range.length)),
        _ => None,
    });
    outputs.collect()
}

/// The names in `struct linux_dirent64` records.
fn directory(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_le_bytes(*rest.get(16..)?.first_chunk()?));
        let (record, behind) = rest.split_at_checked(length)?;
        let name = record.get(19..)?;
        rest = behind;
        name.split(|byte| *byte == 0).next()
    })
}

/// What it read, without where.
fn inputs(call: &Call) -> Vec<(u64, u64)> {
    let inputs = call.items.iter().filter_map(|item| match item {
        Item::Input { summary, .. } => Some((summary.length, summary.hash)),
        _ => None,
    });
    inputs.collect()
}
