//! What calls do to descriptors.

use super::super::call::{Call, long, word};
use super::table::Descriptor;
use super::{Objects, Sort, names};
use tracer_core::trace::reader::Item;

/// What a call did to a file as a whole.
pub enum Change {
    /// It has so many bytes now.
    Resized(usize, u64),
    /// It had this path before.
    Renamed(Vec<u8>),
}

impl Objects {
    /// The first process of a recording begins, or another image of a process, in this directory.
    pub fn begin(&mut self, leader: u32, directory: &[u8]) {
        if self.tables.contains_key(&leader) {
            self.table(leader).exec();
        } else if self.tables.is_empty() {
            for (descriptor, name) in ["stdin", "stdout", "stderr"].into_iter().enumerate() {
                let open = self.make(Sort::Standard, name.into());
                self.table(leader).set(descriptor as i32, Descriptor { open, closes_on_exec: false });
            }
        }
        self.table(leader).directory = directory.to_vec();
    }

    /// A process was created.
    pub fn fork(&mut self, creator: u32, created: u32) {
        let copy = self.table(creator).clone();
        self.tables.insert(created, copy);
    }

    /// The file that a call names by argument `path`, seen from the directory in argument `directory`.
    pub fn named(&mut self, leader: u32, call: &Call, directory: Option<usize>, path: u8) -> Option<usize> {
        let path = call.text(path)?;
        // With AT_EMPTY_PATH it is the descriptor's own file.
        if let (Some(directory), b"") = (directory, path) {
            return Some(self.object(leader, call.descriptor(directory)));
        }
        let path = self.path(leader, call, directory, path);
        Some(self.file(path))
    }

    fn path(&mut self, leader: u32, call: &Call, directory: Option<usize>, path: &[u8]) -> Vec<u8> {
        let from = directory.map(|index| call.descriptor(index)).filter(|from| *from != libc::AT_FDCWD);
        match from {
            Some(from) if !path.starts_with(b"/") => {
                let object = self.object(leader, from);
                // As walks of a tree go back, whose names would get longer and longer.
                if let (b"..", true) = (path, self.list[object].directory) {
                    return names::parent(&self.list[object].name).to_vec();
                }
                names::joined(&self.list[object].name, path)
            }
            _ => names::joined(&self.table(leader).directory, path),
        }
    }

    /// Applies a call of the process of `leader`, which has succeeded.
    pub fn apply(&mut self, leader: u32, call: &Call) -> Option<Change> {
        let a = &call.arguments;
        let result = call.result as i32;
        match call.number {
            libc::SYS_open => self.opened(leader, call, None, 0, a[1]),
            libc::SYS_creat => self.opened(leader, call, None, 0, (libc::O_CREAT | libc::O_TRUNC) as u64),
            libc::SYS_openat => self.opened(leader, call, Some(0), 1, a[2]),
            libc::SYS_openat2 => {
                let flags = call.input(2).and_then(|how| long(how, 0)).unwrap_or(0);
                self.opened(leader, call, Some(0), 1, flags)
            }
            libc::SYS_close => {
                self.table(leader).close(call.descriptor(0));
                None
            }
            libc::SYS_close_range => {
                let bound = |value: u64| (value as u32).min(i32::MAX as u32) as i32;
                let marks = a[2] as u32 & libc::CLOSE_RANGE_CLOEXEC != 0;
                self.table(leader).close_range(bound(a[0]), bound(a[1]), marks);
                None
            }
            libc::SYS_dup => self.duplicate(leader, call.descriptor(0), result, false),
            libc::SYS_dup2 => self.duplicate(leader, call.descriptor(0), result, false),
            libc::SYS_dup3 => {
                self.duplicate(leader, call.descriptor(0), result, closes(a[2], libc::O_CLOEXEC))
            }
            libc::SYS_fcntl => match a[1] as i32 {
                libc::F_DUPFD => self.duplicate(leader, call.descriptor(0), result, false),
                libc::F_DUPFD_CLOEXEC => self.duplicate(leader, call.descriptor(0), result, true),
                libc::F_SETFD => {
                    self.table(leader).mark(call.descriptor(0), closes(a[2], libc::FD_CLOEXEC));
                    None
                }
                libc::F_SETFL => {
                    let open = self.open(leader, call.descriptor(0));
                    self.opens[open].appends = closes(a[2], libc::O_APPEND);
                    None
                }
                _ => None,
            },
            libc::SYS_pipe => self.pipe(leader, call, 0),
            libc::SYS_pipe2 => self.pipe(leader, call, a[1]),
            libc::SYS_socket => {
                self.made(leader, result, Sort::Socket, names::socket(call), closes(a[1], libc::SOCK_CLOEXEC))
            }
            libc::SYS_socketpair => {
                let pair = call.output(3)?;
                let close = closes(a[1], libc::SOCK_CLOEXEC);
                self.pipes += 1;
                for (side, at) in [("a", 0), ("b", 4)] {
                    let name = format!("{} pair {} {side}", names::socket(call), self.pipes);
                    self.made(leader, word(pair, at)? as i32, Sort::Socket, name, close);
                }
                None
            }
            libc::SYS_accept => self.accepted(leader, call, false),
            libc::SYS_accept4 => self.accepted(leader, call, closes(a[3], libc::SOCK_CLOEXEC)),
            libc::SYS_connect => self.renamed(leader, call, "to"),
            libc::SYS_bind => self.renamed(leader, call, "at"),
            libc::SYS_memfd_create => {
                let name = String::from_utf8_lossy(call.text(0).unwrap_or_default()).into_owned();
                self.made(leader, result, Sort::Memory, name, a[1] as u32 & libc::MFD_CLOEXEC != 0)
            }
            // All of these have their O_CLOEXEC in common.
            libc::SYS_eventfd => self.made(leader, result, Sort::Kernel, "eventfd".into(), false),
            libc::SYS_eventfd2 => self.kernel(leader, call, "eventfd", 1),
            libc::SYS_epoll_create => self.made(leader, result, Sort::Kernel, "epoll".into(), false),
            libc::SYS_epoll_create1 => self.kernel(leader, call, "epoll", 0),
            libc::SYS_timerfd_create => self.kernel(leader, call, "timerfd", 1),
            libc::SYS_signalfd4 if call.descriptor(0) < 0 => self.kernel(leader, call, "signalfd", 3),
            libc::SYS_inotify_init => self.made(leader, result, Sort::Kernel, "inotify".into(), false),
            libc::SYS_inotify_init1 => self.kernel(leader, call, "inotify", 0),
            libc::SYS_fanotify_init => self.kernel(leader, call, "fanotify", 1),
            libc::SYS_pidfd_open => {
                self.made(leader, result, Sort::Kernel, format!("pidfd {}", a[0] as u32), true)
            }
            libc::SYS_recvmsg => self.received(leader, call, closes(a[2], libc::MSG_CMSG_CLOEXEC)),
            libc::SYS_chdir => {
                let path = call.text(0)?;
                let path = self.path(leader, call, None, path);
                self.table(leader).directory = path;
                None
            }
            libc::SYS_fchdir => {
                let object = self.object(leader, call.descriptor(0));
                self.table(leader).directory = self.list[object].name.to_vec();
                None
            }
            libc::SYS_lseek => {
                let open = self.open(leader, call.descriptor(0));
                let (position, object) = (call.result as u64, self.opens[open].object);
                self.opens[open].position = position;
                if a[2] as i32 == libc::SEEK_END && a[1] == 0 {
                    self.list[object].size = position;
                }
                None
            }
            libc::SYS_fstat => {
                let object = self.object(leader, call.descriptor(0));
                // `st_size`.
                self.list[object].size = long(call.output(1)?, 48)?;
                None
            }
            libc::SYS_ftruncate => {
                let object = self.object(leader, call.descriptor(0));
                Some(self.sized(object, a[1]))
            }
            libc::SYS_truncate => {
                let object = self.named(leader, call, None, 0)?;
                Some(self.sized(object, a[1]))
            }
            libc::SYS_rename => self.moved(leader, call, (None, 0), (None, 1)),
            libc::SYS_renameat | libc::SYS_renameat2 => self.moved(leader, call, (Some(0), 1), (Some(2), 3)),
            libc::SYS_unlink | libc::SYS_rmdir => self.removed(leader, call, None, 0),
            libc::SYS_unlinkat => self.removed(leader, call, Some(0), 1),
            _ => None,
        }
    }

    fn opened(
        &mut self,
        leader: u32,
        call: &Call,
        directory: Option<usize>,
        path: u8,
        flags: u64,
    ) -> Option<Change> {
        let object = self.named(leader, call, directory, path)?;
        const PLAIN: i32 = libc::O_DIRECTORY | libc::O_NOFOLLOW;
        let ends_up = call.text(path).is_some_and(|path| path.ends_with(b".."));
        self.list[object].directory |= flags as i32 & PLAIN == PLAIN && !ends_up;
        self.list[object].opened += 1;
        let open = self.open_object(object, flags as i32 & libc::O_APPEND != 0);
        let closes_on_exec = closes(flags, libc::O_CLOEXEC);
        self.table(leader).set(call.result as i32, Descriptor { open, closes_on_exec });
        (flags as i32 & libc::O_TRUNC != 0).then(|| self.sized(object, 0))
    }

    fn sized(&mut self, object: usize, size: u64) -> Change {
        self.list[object].size = size;
        Change::Resized(object, size)
    }

    fn duplicate(&mut self, leader: u32, original: i32, copy: i32, closes_on_exec: bool) -> Option<Change> {
        let open = self.open(leader, original);
        if original != copy {
            self.table(leader).set(copy, Descriptor { open, closes_on_exec });
        }
        None
    }

    fn pipe(&mut self, leader: u32, call: &Call, flags: u64) -> Option<Change> {
        let pair = call.output(0)?;
        self.pipes += 1;
        let name = format!("pipe {}", self.pipes).into_bytes();
        let reading = self.make(Sort::Pipe, name);
        // Each end has a place of its own.
        let writing = self.open_object(self.opens[reading].object, false);
        for (open, at) in [(reading, 0), (writing, 4)] {
            let what = Descriptor { open, closes_on_exec: closes(flags, libc::O_CLOEXEC) };
            self.table(leader).set(word(pair, at)? as i32, what);
        }
        None
    }

    fn made(
        &mut self,
        leader: u32,
        descriptor: i32,
        sort: Sort,
        name: String,
        closes_on_exec: bool,
    ) -> Option<Change> {
        let open = self.make(sort, name.into_bytes());
        self.table(leader).set(descriptor, Descriptor { open, closes_on_exec });
        None
    }

    fn kernel(&mut self, leader: u32, call: &Call, name: &str, flags: usize) -> Option<Change> {
        let closes_on_exec = closes(call.arguments[flags], libc::O_CLOEXEC);
        self.made(leader, call.result as i32, Sort::Kernel, name.into(), closes_on_exec)
    }

    fn accepted(&mut self, leader: u32, call: &Call, closes_on_exec: bool) -> Option<Change> {
        let listening = self.object(leader, call.descriptor(0));
        let mut name = String::from_utf8_lossy(&self.list[listening].name).into_owned();
        if let Some(peer) = call.output(1).and_then(names::address) {
            name.push_str(&format!(" from {peer}"));
        }
        self.made(leader, call.result as i32, Sort::Socket, name, closes_on_exec)
    }

    /// A socket has got an address.
    fn renamed(&mut self, leader: u32, call: &Call, word: &str) -> Option<Change> {
        let address = names::address(call.input(1)?)?;
        let object = self.object(leader, call.descriptor(0));
        // A datagram socket may be connected any number of times. A file is found by its name.
        let object = &mut self.list[object];
        if object.name.len() < 256 && !object.is_file() {
            object.name = [&*object.name, format!(" {word} {address}").as_bytes()].concat().into();
        }
        None
    }

    /// Descriptors in a message.
    fn received(&mut self, leader: u32, call: &Call, closes_on_exec: bool) -> Option<Change> {
        let header = call.output(1)?;
        let control = long(header, 32).filter(|address| *address != 0)?;
        let messages = call.items.iter().find_map(|item| match item {
            Item::Output { address, bytes, .. } if address == control => Some(bytes),
            _ => None,
        })?;
        let mut rest = messages;
        while let (Some(length), Some(level), Some(kind)) = (long(rest, 0), word(rest, 8), word(rest, 12)) {
            let Some(data) = usize::try_from(length).ok().and_then(|length| rest.get(16..length)) else {
                break;
            };
            if (level as i32, kind as i32) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                for descriptor in data.as_chunks::<4>().0 {
                    let descriptor = i32::from_le_bytes(*descriptor);
                    self.made(
                        leader,
                        descriptor,
                        Sort::Unknown,
                        "received in a message".into(),
                        closes_on_exec,
                    );
                }
            }
            rest = rest.get((length as usize).next_multiple_of(8)..).unwrap_or_default();
        }
        None
    }

    fn moved(
        &mut self,
        leader: u32,
        call: &Call,
        from: (Option<usize>, u8),
        to: (Option<usize>, u8),
    ) -> Option<Change> {
        let from = self.path(leader, call, from.0, call.text(from.1)?);
        let to = self.path(leader, call, to.0, call.text(to.1)?);
        self.rename(&from, to);
        Some(Change::Renamed(from))
    }

    /// What is opened under this name next is another file.
    fn removed(&mut self, leader: u32, call: &Call, directory: Option<usize>, path: u8) -> Option<Change> {
        let path = self.path(leader, call, directory, call.text(path)?);
        self.forget(&path);
        None
    }
}

fn closes(flags: u64, flag: i32) -> bool {
    flags as i32 & flag != 0
}
