//! The writer when things go wrong: killed processes, full disks, programs that scribble over its memory.

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tracer_core::companion::futex::SystemFutex;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::companion::wake::await_trace;
use tracer_core::companion::{Audience, Opening, Role};
use tracer_core::trace::chunk::Index;
use tracer_core::trace::directory::events_path;
use tracer_core::trace::manifest::{Ended, Manifest, ProcessEnded};

use crate::isolation::{fork, in_own_process, kill, wait};
use crate::producer::{Program, noise, read_call};
use crate::record::{record, record_with, recording, scratch, stream};

#[test]
fn what_was_published_survives_sigkill() {
    in_own_process("harm::what_was_published_survives_sigkill", || {
        let directory = scratch("killed");
        let path = directory.join("trace");
        let whole = [crate::producer::start("/bin/true", b"true\0", 0), read_call(&noise(100, 1))].concat();
        let half = &read_call(&noise(100, 2))[..60];
        let (summary, status) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut producer = program.producer();
                program.write(&mut producer, &whole).unwrap();
                program.write(&mut producer, half).unwrap();
                loop {
                    std::thread::park();
                }
            },
            |child, control| {
                let published = (whole.len() + half.len()) as u64;
                while control.slots[0].head.0.load(Ordering::Acquire) < published {
                    std::thread::yield_now();
                }
                kill(child);
            },
        );
        assert_eq!(libc::WTERMSIG(status), libc::SIGKILL);
        assert_eq!(stream(&path, 0), [&whole, half].concat());
        assert!(summary.ends_early.unwrap().contains("signal 9"));
        let manifest = Manifest::load(&path).unwrap();
        assert_eq!(manifest.processes[0].ended, ProcessEnded::Signalled(9));
        let index = Index::open(&events_path(&path)).unwrap();
        assert!(!index.streams().next().unwrap().complete);
    });
}

#[test]
fn a_program_goes_on_when_the_writer_is_killed() {
    in_own_process("harm::a_program_goes_on_when_the_writer_is_killed", || {
        let directory = scratch("orphan");
        let path = directory.join("trace");
        let mut started = record_with(&path, Audience::Launcher).unwrap();
        let descriptors = started.program.take().unwrap();
        let control = ControlMapping::new(descriptors.memory.as_fd()).unwrap();
        let child = fork(|| {
            let program = Program::live(&descriptors, &control, 0);
            let mut producer = program.producer();
            let event = read_call(&noise(100_000, 1));
            // Until the writer is gone, and the ring full.
            while program.write(&mut producer, &event).is_ok() {}
            9
        });
        kill(control.companion.load(Ordering::Acquire) as libc::pid_t);
        assert_eq!(libc::WEXITSTATUS(wait(child)), 9);
        drop(descriptors);
        assert!(started.wait_done().unwrap_err().to_string().contains("killed"));
        assert_eq!(Manifest::load(&path).unwrap().ended, Ended::Recording);
    });
}

#[test]
fn a_full_disk_stops_the_recording_but_not_the_program() {
    in_own_process("harm::a_full_disk_stops_the_recording_but_not_the_program", || {
        let mount = scratch("full");
        let target = std::ffi::CString::new(mount.to_str().unwrap()).unwrap();
        // SAFETY: all strings end with NUL.
        let mounted = unsafe {
            libc::mount(c"none".as_ptr(), target.as_ptr(), c"tmpfs".as_ptr(), 0, c"size=2m".as_ptr().cast())
        };
        assert_eq!(mounted, 0, "this test mounts a tmpfs: {}", std::io::Error::last_os_error());
        let path = mount.join("trace");
        let (summary, status) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut producer = program.producer();
                program.write(&mut producer, &crate::producer::start("/bin/true", b"true\0", 0)).unwrap();
                let mut number = 0;
                while program.write(&mut producer, &read_call(&noise(100_000, number))).is_ok() {
                    number += 1;
                }
                5
            },
            |_, _| (),
        );
        let manifest = Manifest::load(&path);
        let index =
            Index::open(&events_path(&path)).map(|index| index.streams().next().map(|stream| stream.bytes));
        // SAFETY: the path ends with NUL.
        assert_eq!(unsafe { libc::umount(target.as_ptr()) }, 0, "{}", std::io::Error::last_os_error());
        assert_eq!(libc::WEXITSTATUS(status), 5);
        let early = summary.ends_early.unwrap();
        assert!(early.contains("No space left on device") && early.contains("events"), "{early}");
        assert_eq!(manifest.unwrap().ended, Ended::Early(early));
        assert!(index.unwrap().is_some_and(|bytes| bytes > 100_000));
    });
}

#[test]
fn a_scribbled_ring_is_noticed() {
    in_own_process("harm::a_scribbled_ring_is_noticed", || {
        let directory = scratch("scribble");
        let path = directory.join("trace");
        let good = [crate::producer::start("/bin/true", b"true\0", 0), read_call(b"abc")].concat();
        let (summary, _) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut producer = program.producer();
                program.write(&mut producer, &good).unwrap();
                program.write(&mut producer, &[0xee; 4000]).unwrap();
                program.finish();
                0
            },
            |_, _| (),
        );
        assert!(summary.ends_early.unwrap().contains("overwrote"));
        assert_eq!(stream(&path, 0), good);
    });
}

#[test]
fn an_impossible_head_is_noticed() {
    in_own_process("harm::an_impossible_head_is_noticed", || {
        let directory = scratch("head");
        let path = directory.join("trace");
        let good = crate::producer::start("/bin/true", b"true\0", 0);
        let (summary, status) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                program.write(&mut program.producer(), &good).unwrap();
                let slot = &control.slots[0];
                program.side().state_changed();
                while slot.tail.0.load(Ordering::Acquire) < good.len() as u64 {
                    std::thread::yield_now();
                }
                slot.head.0.store(1 << 60, Ordering::Release);
                program.finish();
                // SAFETY: a plain system call. The memory is sealed, or the companion would die of SIGBUS.
                unsafe { libc::ftruncate(descriptors.memory.as_raw_fd(), 0) }
            },
            |_, _| (),
        );
        assert_eq!(libc::WEXITSTATUS(status), 255);
        assert!(summary.ends_early.unwrap().contains("overwrote"));
        assert_eq!(stream(&path, 0), good);
    });
}

#[test]
fn a_place_that_is_taken_is_refused_before_the_program_starts() {
    in_own_process("harm::a_place_that_is_taken_is_refused_before_the_program_starts", || {
        let path = scratch("taken");
        std::fs::write(path.join("something"), "").unwrap();
        let error = record_with(&path, Audience::Launcher).err().unwrap().to_string();
        assert!(error.contains("not empty") && error.contains(path.to_str().unwrap()), "{error}");
    });
}

#[test]
fn a_program_that_is_started_first_begins_when_its_trace_is_open_or_never() {
    in_own_process("harm::a_program_that_is_started_first_begins_when_its_trace_is_open_or_never", || {
        let (taken, free) = (scratch("taken"), scratch("free"));
        std::fs::write(taken.join("something"), "").unwrap();
        for (path, opens) in [(taken.to_path_buf(), false), (free.join("trace"), true)] {
            let opening = Opening::new(Role::Record(Box::new(recording(&path))), Audience::Launcher).unwrap();
            let program = opening.program();
            let control = ControlMapping::new(program.memory.as_fd()).unwrap();
            let child = fork(|| {
                let ours = program.memory.as_raw_fd().min(program.socket.as_raw_fd()) as libc::c_uint;
                // As exec does: the companion's end of the socket must not be open here.
                // SAFETY: nothing in this process uses what is closed.
                unsafe { libc::syscall(libc::SYS_close_range, 3, ours - 1, 0) };
                let futex = SystemFutex::new(Duration::from_millis(10), Some(program.socket.as_fd()));
                i32::from(await_trace(&control, &futex))
            });
            let started = opening.start(|_| ());
            assert_eq!(started.is_ok(), opens);
            assert_eq!(libc::WEXITSTATUS(wait(child)), i32::from(opens));
        }
    });
}
