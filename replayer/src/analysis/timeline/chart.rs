//! What a picture of a trace shows: a lane for each thread, with events, tenures and hand-overs.
//!
//! A trace has no clock, so the axis is causality: an event comes one step after whatever must have come before it, which is
//! the event before it in its process, the creation of its process, or the end of a process that it has waited for. What ran
//! in parallel is side by side.

use super::super::family::Family;
use super::super::objects::{Objects, Sort};
use super::super::order::{created_streams, waited_id};
use super::super::recording::Recording;
use super::super::walk::{Seen, walk};
use crate::inspect::{event_name, event_text};
use crate::place::Place;
use anyhow::Result;
use std::collections::HashMap;
use tracer_core::event::Kind;

/// What an event is about; the colour that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// Files and directories.
    File,
    /// Sockets.
    Network,
    /// Pipes, eventfds and the like.
    Channel,
    /// The address space.
    Memory,
    /// Processes and threads, their beginning and end.
    Process,
    /// Waiting for each other.
    Lock,
    /// Clocks and timers.
    Time,
    /// Signals.
    Signal,
    /// The recording's own.
    Recording,
    /// Anything else.
    Other,
}

impl Category {
    /// All, in the order of their numbers.
    pub const ALL: [Category; 10] = [
        Category::File,
        Category::Network,
        Category::Channel,
        Category::Memory,
        Category::Process,
        Category::Lock,
        Category::Time,
        Category::Signal,
        Category::Recording,
        Category::Other,
    ];

    /// Its name in a legend.
    pub fn name(self) -> &'static str {
        match self {
            Category::File => "files",
            Category::Network => "network",
            Category::Channel => "pipes",
            Category::Memory => "memory",
            Category::Process => "processes",
            Category::Lock => "locks",
            Category::Time => "time",
            Category::Signal => "signals",
            Category::Recording => "recording",
            Category::Other => "other",
        }
    }
}

/// An event in the picture.
pub struct Mark<'a> {
    /// Which it is.
    pub place: Place,
    /// The first stream of its process.
    pub leader: u32,
    /// Where on the axis.
    pub step: u32,
    /// What it is about.
    pub category: Category,
    /// It is a call that failed.
    pub failed: bool,
    /// Its name: of a call, a signal, an instruction.
    pub name: &'a str,
    /// What `dump` says.
    pub text: &'a str,
    /// The stream of the same process that ran before, if another did, and its last step.
    pub handed_over: Option<(u32, u32)>,
}

/// Gives every event that a picture shows to `draw`, in a possible order.
pub fn chart(
    recording: &Recording,
    family: &Family,
    mut draw: impl FnMut(&Mark) -> Result<()>,
) -> Result<()> {
    let mut clock = Clock::default();
    walk(recording, family, |seen, objects| {
        let leader = family.leader(seen.stream);
        let (step, handed_over) = clock.tick(leader, seen, family);
        // That a thread has got its turn is what the picture shows anyway.
        if matches!(seen.event.kind, Kind::Turn | Kind::Check) {
            return Ok(true);
        }
        let mark = Mark {
            place: Place { stream: seen.stream, event: seen.event.index },
            leader,
            step,
            category: category(seen, objects),
            failed: seen.call.as_ref().is_some_and(|call| call.failed()),
            name: &event_name(seen.event),
            text: &event_text(seen.event),
            handed_over,
        };
        draw(&mark)?;
        clock.drawn(leader);
        Ok(true)
    })?;
    Ok(())
}

/// Steps of processes.
#[derive(Default)]
struct Clock {
    processes: HashMap<u32, Process>,
    /// The last step of the processes with this id so far.
    last: HashMap<u32, u32>,
}

#[derive(Default)]
struct Process {
    step: u32,
    /// The stream that ran last, and its last step.
    ran: Option<(u32, u32)>,
    /// A hand-over that is not drawn yet.
    handed_over: Option<(u32, u32)>,
}

impl Clock {
    /// The step of an event, and from whom its stream has taken over.
    fn tick(&mut self, leader: u32, seen: &Seen, family: &Family) -> (u32, Option<(u32, u32)>) {
        let waited = waited_id(seen.event).and_then(|id| self.last.get(&id)).copied().unwrap_or(0);
        let process = self.processes.entry(leader).or_default();
        process.step = process.step.max(waited).saturating_add(1);
        let step = process.step;
        if let Some(before) = process.ran.filter(|(stream, _)| *stream != seen.stream) {
            process.handed_over.get_or_insert(before);
        }
        process.ran = Some((seen.stream, step));
        let handed_over = process.handed_over.filter(|(stream, _)| *stream != seen.stream);
        if let Some(member) = family.members.get(&leader) {
            self.last.insert(member.process, step);
        }
        for created in created_streams(seen.event) {
            if family.leader(created) == created {
                self.processes.entry(created).or_default().step = step;
            }
        }
        (step, handed_over)
    }

    /// The event was drawn, with the hand-over before it.
    fn drawn(&mut self, leader: u32) {
        if let Some(process) = self.processes.get_mut(&leader) {
            process.handed_over = None;
        }
    }
}

fn category(seen: &Seen, objects: &Objects) -> Category {
    match seen.event.kind {
        Kind::Start => return Category::Process,
        Kind::Clock | Kind::Instruction => return Category::Time,
        Kind::Signal => return Category::Signal,
        Kind::Operation => return Category::Lock,
        Kind::Check | Kind::Turn | Kind::Note | Kind::Stop => return Category::Recording,
        Kind::Call | Kind::Entry => {}
    }
    match i64::from(seen.event.number) {
        libc::SYS_futex
        | libc::SYS_sched_yield
        | libc::SYS_flock
        | libc::SYS_semop
        | libc::SYS_semtimedop => Category::Lock,
        libc::SYS_mmap
        | libc::SYS_munmap
        | libc::SYS_mprotect
        | libc::SYS_mremap
        | libc::SYS_brk
        | libc::SYS_madvise => Category::Memory,
        libc::SYS_execve
        | libc::SYS_execveat
        | libc::SYS_clone
        | libc::SYS_clone3
        | libc::SYS_fork
        | libc::SYS_vfork
        | libc::SYS_wait4
        | libc::SYS_waitid
        | libc::SYS_exit
        | libc::SYS_exit_group => Category::Process,
        libc::SYS_nanosleep
        | libc::SYS_clock_nanosleep
        | libc::SYS_clock_gettime
        | libc::SYS_gettimeofday
        | libc::SYS_timer_settime
        | libc::SYS_setitimer => Category::Time,
        libc::SYS_kill | libc::SYS_tkill | libc::SYS_tgkill => Category::Signal,
        _ => match seen.object.and_then(|object| objects.get(object)).map(|object| object.sort) {
            Some(Sort::File | Sort::Memory | Sort::Standard) => Category::File,
            Some(Sort::Socket) => Category::Network,
            Some(Sort::Pipe | Sort::Kernel | Sort::Unknown) => Category::Channel,
            None => Category::Other,
        },
    }
}
