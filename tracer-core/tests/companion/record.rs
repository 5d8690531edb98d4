//! The writer.

use std::io::Read;
use std::num::NonZeroU64;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tracer_core::companion::memory::ControlMapping;
use tracer_core::companion::writer::{Place, Recording};
use tracer_core::companion::{Audience, Outcome, Role, Started, Summary, start};
use tracer_core::event::{Kind, Tag, flags};
use tracer_core::session::{Order, check_level};
use tracer_core::trace::chunk::Index;
use tracer_core::trace::directory::{events_path, wait_until_recorded};
use tracer_core::trace::manifest::{Ended, Manifest, ProcessEnded};

use crate::isolation::{fork, in_own_process, wait};
use crate::producer::{Program, call, event, exit_call, item, noise, read_call, reserve, words};

/// A directory that is removed with all that is in it.
pub struct Scratch(PathBuf);

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A new directory for one test.
pub fn scratch(name: &str) -> Scratch {
    let path = std::env::temp_dir().join(format!("companion-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    Scratch(path)
}

/// A recording of nothing, at `path`.
pub fn recording(path: &Path) -> Recording {
    Recording {
        place: Place::At(path.to_owned()),
        command: vec!["true".into()],
        directory: "/".into(),
        recorder: Default::default(),
        order: Order::Serial,
        policy: Default::default(),
        check: check_level::CHEAP,
        chaos: None,
        processor: None,
        hand_overs: None,
    }
}

/// Starts a writer for a trace at `path`.
pub fn record_with(path: &Path, audience: Audience) -> std::io::Result<Started> {
    start(Role::Record(Box::new(recording(path))), audience)
}

/// Runs `program` as the first process of a recording at `path`; gives back the outcome, and what is passed
/// on to `look` is the child's id, while it runs.
pub fn record(
    path: &Path,
    program: impl FnOnce(&tracer_core::companion::session::ProgramDescriptors, &ControlMapping) -> i32,
    look: impl FnOnce(libc::pid_t, &ControlMapping),
) -> (Summary, i32) {
    let mut started = record_with(path, Audience::Launcher).unwrap();
    let descriptors = started.program.take().unwrap();
    let control = ControlMapping::new(descriptors.memory.as_fd()).unwrap();
    let child = fork(|| program(&descriptors, &control));
    drop(descriptors);
    look(child, &control);
    let status = wait(child);
    started.root_ended(status).unwrap();
    match started.wait_done().unwrap() {
        Outcome::Recorded(summary) => (summary, status),
        other => panic!("{other:?}"),
    }
}

pub fn stream(path: &Path, number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let index = Index::open(&events_path(path)).unwrap();
    index.stream(number).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn streams_arrive_as_they_were_written() {
    in_own_process("record::streams_arrive_as_they_were_written", || {
        let directory = scratch("plain");
        let path = directory.join("trace");
        // Many times around the ring, with events of all sizes, one of them several times as long as the ring.
        let mut bytes = crate::producer::start("/bin/true", b"true\0-v\0", 0);
        for size in [0, 1, 8, 4095, 70_000, 5_000_000, 3, 900_000, 1 << 20, 17].repeat(3) {
            bytes.extend(read_call(&noise(size, size as u64)));
            bytes.extend(event(Kind::Clock, 0, libc::SYS_clock_gettime, &words(&[0, 1, 2])));
        }
        bytes.extend(exit_call(3));
        let (summary, status) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut producer = program.producer();
                for piece in bytes.chunks(333_333) {
                    program.write(&mut producer, piece).unwrap();
                }
                program.finish();
                3
            },
            |_, _| (),
        );
        assert_eq!(libc::WEXITSTATUS(status), 3);
        assert_eq!(stream(&path, 0), bytes);
        assert_eq!(summary.root_status, Some(status));
        assert_eq!((summary.streams, summary.events, summary.ends_early), (1, 62, None));
        assert_eq!(summary.bytes, bytes.len() as u64);

        let manifest = Manifest::load(&path).unwrap();
        assert_eq!(manifest.ended, Ended::Complete);
        let process = &manifest.processes[0];
        assert_eq!(process.executable.to_text(), "/bin/true");
        assert_eq!(process.arguments, ["true".into(), "-v".into()]);
        assert_eq!((process.process_id, process.events), (4242, 62));
        assert_eq!(process.ended, ProcessEnded::Exited(3));
        assert_eq!(manifest.objects[0].path.to_text(), "/bin/true");
        assert!(!manifest.objects[0].build_id.is_empty());
    });
}

#[test]
fn thousands_of_short_children_share_the_slots() {
    in_own_process("record::thousands_of_short_children_share_the_slots", || {
        const CHILDREN: usize = 2000;
        let directory = scratch("bomb");
        let path = directory.join("trace");
        let (summary, status) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut producer = program.producer();
                program.write(&mut producer, &crate::producer::start("/bin/true", b"true\0", 0)).unwrap();
                let mut children = Vec::new();
                for number in 0..CHILDREN {
                    let (slot, stream) = reserve(control);
                    let child = fork(|| {
                        let program = Program::live(descriptors, control, slot);
                        let mut producer = program.producer();
                        program.write(&mut producer, &read_call(&noise(number, stream.into()))).unwrap();
                        if number % 7 == 0 {
                            // SAFETY: a plain system call.
                            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
                        }
                        program.write(&mut producer, &exit_call(number as u64 % 256)).unwrap();
                        program.finish();
                        0
                    });
                    let created = item(Tag::Stream, 0, stream.into(), &[]);
                    let fork_call = call(Kind::Call, libc::SYS_fork, child.into(), &[], &created);
                    program.write(&mut producer, &fork_call).unwrap();
                    children.push(child);
                    if children.len() == 50 {
                        children.drain(..).for_each(|child| {
                            wait(child);
                        });
                    }
                }
                children.drain(..).for_each(|child| {
                    wait(child);
                });
                program.write(&mut producer, &exit_call(0)).unwrap();
                program.finish();
                0
            },
            |_, _| (),
        );
        assert_eq!(status, 0);
        assert_eq!(summary.streams as usize, CHILDREN + 1);
        for number in 0..CHILDREN {
            let stream_number = number as u32 + 1;
            let mut expected = read_call(&noise(number, stream_number.into()));
            if number % 7 != 0 {
                expected.extend(exit_call(number as u64 % 256));
            }
            assert_eq!(stream(&path, stream_number), expected, "stream {stream_number}");
        }
        let manifest = Manifest::load(&path).unwrap();
        assert_eq!(manifest.processes.len(), CHILDREN + 1);
        let killed = |ended: &ProcessEnded| matches!(ended, ProcessEnded::CutShort(_));
        assert_eq!(
            manifest.processes.iter().filter(|process| killed(&process.ended)).count(),
            CHILDREN.div_ceil(7)
        );
        assert!(manifest.processes.iter().all(|process| process.executable.to_text() == "/bin/true"));
        assert_eq!(manifest.processes[2].ended, ProcessEnded::Exited(1));
        assert_eq!(manifest.processes[2].parent_stream, Some(0));
    });
}

#[test]
fn the_seed_of_chaos_reaches_the_program_and_the_manifest() {
    in_own_process("record::the_seed_of_chaos_reaches_the_program_and_the_manifest", || {
        for seed in [None, NonZeroU64::new(5), Some(NonZeroU64::MAX)] {
            let directory = scratch("chaos");
            let path = directory.join("trace");
            let role = Role::Record(Box::new(Recording { chaos: seed, ..recording(&path) }));
            let mut started = start(role, Audience::Launcher).unwrap();
            let control = ControlMapping::new(started.program.as_ref().unwrap().memory.as_fd()).unwrap();
            assert_eq!(control.chaos.load(Ordering::Relaxed), seed.map_or(0, NonZeroU64::get));
            assert_eq!(Manifest::load(&path).unwrap().chaos(), seed.map(NonZeroU64::get));
            started.wait_done().unwrap();
        }
    });
}

#[test]
fn a_recording_whose_program_never_started_ends() {
    in_own_process("record::a_recording_whose_program_never_started_ends", || {
        let directory = scratch("never");
        let path = directory.join("trace");
        let mut started = record_with(&path, Audience::Launcher).unwrap();
        let Outcome::Recorded(summary) = started.wait_done().unwrap() else { panic!() };
        assert_eq!((summary.streams, summary.events, summary.root_status), (0, 0, None));
        assert_eq!(Manifest::load(&path).unwrap().processes, []);
    });
}

#[test]
fn background_processes_are_reported_and_waited_for() {
    in_own_process("record::background_processes_are_reported_and_waited_for", || {
        let directory = scratch("background");
        let path = directory.join("trace");
        let mut started = record_with(&path, Audience::Launcher).unwrap();
        let descriptors = started.program.take().unwrap();
        let control = ControlMapping::new(descriptors.memory.as_fd()).unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let child = fork(|| {
            let (slot, _) = reserve(&control);
            fork(|| {
                drop(writer.try_clone());
                let program = Program::live(&descriptors, &control, slot);
                let mut byte = [0; 1];
                // Until the test says so.
                // SAFETY: reads into a local.
                unsafe { libc::read(reader.as_raw_fd(), byte.as_mut_ptr().cast(), 1) };
                program.write(&mut program.producer(), &exit_call(0)).unwrap();
                program.finish();
                0
            });
            let program = Program::live(&descriptors, &control, 0);
            program.write(&mut program.producer(), &exit_call(0)).unwrap();
            program.finish();
            0
        });
        drop(descriptors);
        started.root_ended(wait(child)).unwrap();
        let Outcome::Recorded(first) = started.wait_done().unwrap() else { panic!() };
        assert!(first.still_running);
        std::io::Write::write_all(&mut &writer, b"x").unwrap();
        let Outcome::Recorded(last) = started.wait_done().unwrap() else { panic!() };
        assert!(!last.still_running);
        assert_eq!((last.streams, last.ends_early), (2, None));
    });
}

#[test]
fn how_children_ended_is_learnt_from_their_parents() {
    in_own_process("record::how_children_ended_is_learnt_from_their_parents", || {
        let directory = scratch("waits");
        let path = directory.join("trace");
        let forked = |stream: u64, id: i64| {
            call(Kind::Call, libc::SYS_fork, id, &[], &item(Tag::Stream, 0, stream, &[]))
        };
        let mut information = [0u8; 128];
        information[8] = libc::CLD_KILLED as u8;
        information[16..20].copy_from_slice(&602i32.to_le_bytes());
        information[24] = libc::SIGTERM as u8;
        let stopped = item(Tag::Output, 1, 0x10, &0x137fu32.to_le_bytes());
        let exited = item(Tag::Output, 1, 0x10, &0x0700u32.to_le_bytes());
        let killed = item(Tag::Output, 2, 0x10, &information);
        let unrecorded = {
            let path = item(Tag::Text, 0, 0x20, b"/sbin/ldconfig");
            let mut entry = call(Kind::Entry, libc::SYS_execve, 0, &[0x20, 0, 0], &path);
            entry[1] |= flags::UNRECORDED;
            entry
        };
        let streams = [
            [
                crate::producer::start("/bin/one", b"one\0", 0),
                forked(1, 601),
                forked(2, 602),
                forked(3, 603),
                call(Kind::Call, libc::SYS_wait4, 601, &[601, 0x10, 0, 0], &stopped),
                call(Kind::Call, libc::SYS_wait4, 601, &[601, 0x10, 0, 0], &exited),
                call(Kind::Call, libc::SYS_waitid, 0, &[0, 602, 0x10, 4], &killed),
                exit_call(0),
            ]
            .concat(),
            [crate::producer::start("/bin/two", b"two\0", 1), exit_call(7)].concat(),
            read_call(b"x"),
            unrecorded,
        ];
        record(
            &path,
            |descriptors, control| {
                for (number, bytes) in streams.iter().enumerate() {
                    let (slot, stream) = if number == 0 { (0, 0) } else { reserve(control) };
                    assert_eq!(stream as usize, number);
                    let program = Program::live(descriptors, control, slot);
                    program.write(&mut program.producer(), bytes).unwrap();
                    program.finish();
                }
                0
            },
            |_, _| (),
        );
        let found: Vec<(u32, String, ProcessEnded, Option<u32>)> = Manifest::load(&path)
            .unwrap()
            .processes
            .into_iter()
            .map(|it| (it.stream, it.executable.to_text().into_owned(), it.ended, it.parent_stream))
            .collect();
        let expected = [
            (0, "/bin/one", ProcessEnded::Exited(0), None),
            (1, "/bin/two", ProcessEnded::Exited(7), Some(0)),
            (2, "/bin/one", ProcessEnded::Signalled(15), Some(0)),
            (3, "/bin/one", ProcessEnded::Replaced, Some(0)),
        ];
        for (found, (stream, executable, ended, parent)) in found.iter().zip(expected) {
            assert_eq!(found, &(stream, executable.to_owned(), ended, parent));
        }
        assert_eq!((found.len(), &*found[4].1), (5, "/sbin/ldconfig"));
        assert!(matches!(found[4].2, ProcessEnded::Unrecorded(_)));
    });
}

#[test]
fn a_program_can_start_its_own_companion_and_never_notices_it() {
    in_own_process("record::a_program_can_start_its_own_companion_and_never_notices_it", || {
        let directory = scratch("alone");
        let path = directory.join("trace");
        let child = fork(|| {
            // SAFETY: plain system calls. Signals of the terminal's, and descriptors that are closed, as the
            // program may have inherited them.
            unsafe {
                libc::setpgid(0, 0);
                let mut blocked = std::mem::zeroed();
                libc::sigemptyset(&mut blocked);
                libc::sigaddset(&mut blocked, libc::SIGCHLD);
                libc::sigprocmask(libc::SIG_BLOCK, &blocked, std::ptr::null_mut());
                libc::close(0);
            }
            let mut started = record_with(&path, Audience::StandardError).unwrap();
            let descriptors = started.program.take().unwrap();
            drop(started);
            let numbers = [&descriptors.memory, &descriptors.socket].map(AsRawFd::as_raw_fd);
            assert_eq!(descriptors.value(7), format!("{:04X},{:04X},0007", numbers[0], numbers[1]));
            assert!(numbers.iter().all(|&number| number > 100), "{numbers:?}");
            let control = ControlMapping::new(descriptors.memory.as_fd()).unwrap();
            let companion = control.companion.load(Ordering::Acquire) as libc::pid_t;
            // SAFETY: plain system calls.
            unsafe {
                let mut pending = std::mem::zeroed();
                libc::sigpending(&mut pending);
                assert_eq!(libc::sigismember(&pending, libc::SIGCHLD), 0);
                assert_eq!(libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL), -1);
                assert_ne!(libc::getsid(companion), libc::getsid(0));
                for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGPIPE] {
                    assert_eq!(libc::kill(companion, signal), 0);
                }
                // The program's descriptor 0 stays free.
                assert_eq!(libc::fcntl(0, libc::F_GETFD), -1);
            }
            let program = Program::live(&descriptors, &control, 0);
            program.write(&mut program.producer(), &exit_call(4)).unwrap();
            program.finish();
            4
        });
        assert_eq!(libc::WEXITSTATUS(wait(child)), 4);
        wait_until_recorded(&path).unwrap();
        let manifest = Manifest::load(&path).unwrap();
        assert_eq!(manifest.ended, Ended::Complete);
        assert_eq!(stream(&path, 0), exit_call(4));
    });
}

#[test]
fn processes_that_share_memory_with_the_program_are_named() {
    in_own_process("record::processes_that_share_memory_with_the_program_are_named", || {
        let directory = scratch("outsider");
        let place = directory.join("meeting place");
        let file = std::fs::File::options().create_new(true).read(true).write(true).open(&place).unwrap();
        file.set_len(4096).unwrap();
        // Of the two that have it mapped, this process is not recorded.
        // SAFETY: a new mapping, which nobody uses.
        let mapped = unsafe {
            let rights = libc::PROT_READ | libc::PROT_WRITE;
            libc::mmap(std::ptr::null_mut(), 4096, rights, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        assert_ne!(mapped, libc::MAP_FAILED);
        let (summary, _) = record(
            &directory.join("trace"),
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                crate::producer::send_shared(descriptors, &place);
                program.write(&mut program.producer(), &exit_call(0)).unwrap();
                program.finish();
                0
            },
            |_, _| (),
        );
        let own = format!("process {} ", std::process::id());
        let all = summary.warnings.join("\n");
        assert!(all.contains(&own) && all.contains("not recorded") && all.contains("meeting place"), "{all}");
    });
}
