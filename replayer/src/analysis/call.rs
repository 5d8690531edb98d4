//! A system call of a trace, with what its event tells of memory.

use tracer_core::event::Kind;
use tracer_core::syscalls::{self, Syscall, Type};
use tracer_core::trace::reader::{Body, Event, Item, Items};

/// A call that came back, or that was entered and may not have.
pub struct Call<'a> {
    /// Its number.
    pub number: i64,
    /// Its event was logged before it was made.
    pub entered: bool,
    /// What it gave back: a value, or an error number, negated.
    pub result: i64,
    /// The arguments; 0 where it has none.
    pub arguments: [u64; 6],
    /// What it read and wrote.
    pub items: &'a Items,
}

impl<'a> Call<'a> {
    /// The call that `event` is, if it is one.
    pub fn of(event: &'a Event) -> Option<Call<'a>> {
        let Body::Call { result, arguments, items } = &event.body else { return None };
        let mut all = [0; 6];
        all[..arguments.len()].copy_from_slice(arguments);
        let entered = event.kind == Kind::Entry;
        Some(Call { number: event.number.into(), entered, result: *result, arguments: all, items })
    }

    /// What is known about calls of this number.
    pub fn row(&self) -> Option<&'static Syscall> {
        syscalls::lookup(self.number as u64)
    }

    /// Whether it came back without an error.
    pub fn succeeded(&self) -> bool {
        !self.entered && !self.failed()
    }

    /// Whether it came back with an error.
    pub fn failed(&self) -> bool {
        (-4095..0).contains(&self.result)
    }

    /// Whether its result is a descriptor of something new that has no path and came from nothing else.
    pub fn makes_descriptor(&self) -> bool {
        const MAKERS: [i64; 12] = [
            libc::SYS_socket,
            libc::SYS_memfd_create,
            libc::SYS_eventfd,
            libc::SYS_eventfd2,
            libc::SYS_epoll_create,
            libc::SYS_epoll_create1,
            libc::SYS_timerfd_create,
            libc::SYS_signalfd4,
            libc::SYS_inotify_init,
            libc::SYS_inotify_init1,
            libc::SYS_fanotify_init,
            libc::SYS_pidfd_open,
        ];
        MAKERS.contains(&self.number)
    }

    /// Argument `index` as a descriptor.
    pub fn descriptor(&self, index: usize) -> i32 {
        self.arguments[index] as i32
    }

    /// The first argument that is a descriptor of something open.
    pub fn first_descriptor(&self) -> Option<i32> {
        let is_one = |kind| matches!(kind, Type::Descriptor | Type::WrittenDescriptor | Type::ReadDescriptor);
        let index = self.row()?.arguments.iter().position(|argument| is_one(argument.kind))?;
        Some(self.descriptor(index))
    }

    /// The string that argument `index` points to.
    pub fn text(&self, index: u8) -> Option<&'a [u8]> {
        self.items.iter().find_map(|item| match item {
            Item::Text { argument, text, .. } if argument == index => Some(text),
            _ => None,
        })
    }

    /// What the kernel wrote first through argument `index`.
    pub fn output(&self, index: u8) -> Option<&'a [u8]> {
        self.items.iter().find_map(|item| match item {
            Item::Output { argument, bytes, .. } if argument == index => Some(bytes),
            _ => None,
        })
    }

    /// The beginning of what the kernel read first through argument `index`.
    pub fn input(&self, index: u8) -> Option<&'a [u8]> {
        self.items.iter().find_map(|item| match item {
            Item::Input { argument, prefix, .. } if argument == index => Some(prefix),
            _ => None,
        })
    }
}

/// The `u32` at `offset`.
pub fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The `u64` at `offset`.
pub fn long(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
