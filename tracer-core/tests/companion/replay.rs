//! The feeder.

use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::atomic::Ordering;

use tracer_core::companion::feeder::Replaying;
use tracer_core::companion::memory::ControlMapping;
use tracer_core::companion::session::ProgramDescriptors;
use tracer_core::companion::{Audience, Outcome, ReplayEnd, Role, start};
use tracer_core::event::{Kind, Tag};
use tracer_core::session::{Report, check_level, seal, slot_state};

use crate::isolation::{fork, in_own_process, wait};
use crate::producer::{
    Program, call, event, exit_call, item, noise, read_call, reserve, seal_file, start as start_event, words,
};
use crate::record::{record, scratch};

/// Replays the trace at `path` with `program` as the first process.
fn replay(
    path: &Path,
    program: impl FnOnce(&ProgramDescriptors, &ControlMapping) -> i32,
) -> (ReplayEnd, i32) {
    let replaying = Replaying {
        watched: false,
        own_root: false,
        directory: path.to_owned(),
        check: check_level::CHEAP,
        on_divergence: Box::new(|report: &Report, text: &mut dyn Write| {
            let said = String::from_utf8_lossy(&report.text[..report.text_length as usize]);
            writeln!(text, "stream {}, event {}: {said}", report.stream, report.event)
        }),
    };
    let mut started = start(Role::Replay(replaying), Audience::Launcher).unwrap();
    let descriptors = started.program.take().unwrap();
    let control = ControlMapping::new(descriptors.memory.as_fd()).unwrap();
    let child = fork(|| program(&descriptors, &control));
    drop(descriptors);
    let status = wait(child);
    match started.wait_done().unwrap() {
        Outcome::Replayed(end) => (end, status),
        other => panic!("{other:?}"),
    }
}

/// Records `bytes` as stream 0.
fn record_bytes(path: &Path, bytes: &[u8]) {
    record(
        path,
        |descriptors, control| {
            let program = Program::live(descriptors, control, 0);
            program.write(&mut program.producer(), bytes).unwrap();
            program.finish();
            0
        },
        |_, _| (),
    );
}

/// Takes what is wrong to the exit status, so that the parent's assertion shows it.
fn compare(found: &[u8], expected: &[u8]) -> i32 {
    match found.iter().zip(expected).position(|(found, expected)| found != expected) {
        Some(at) => panic!("differ at byte {at} of {}", expected.len()),
        None if found.len() != expected.len() => {
            panic!("{} bytes instead of {}", found.len(), expected.len())
        }
        None => 0,
    }
}

#[test]
fn streams_come_back_byte_for_byte() {
    in_own_process("replay::streams_come_back_byte_for_byte", || {
        let directory = scratch("round");
        let path = directory.join("trace");
        let child_bytes = |number: u64| [read_call(&noise(300_000, number)), exit_call(number)].concat();
        let mut bytes = start_event("/bin/true", b"true\0", 0);
        for size in [0, 5_000_000, 1, 70_000, 1 << 20].repeat(3) {
            bytes.extend(read_call(&noise(size, size as u64)));
            bytes.extend(event(Kind::Clock, 0, libc::SYS_clock_gettime, &words(&[0, 1, 2])));
        }
        record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut producer = program.producer();
                program.write(&mut producer, &bytes).unwrap();
                for _ in 0..20 {
                    let (slot, stream) = reserve(control);
                    let child = fork(|| {
                        let program = Program::live(descriptors, control, slot);
                        program.write(&mut program.producer(), &child_bytes(stream.into())).unwrap();
                        program.finish();
                        0
                    });
                    wait(child);
                }
                program.finish();
                0
            },
            |_, _| (),
        );
        for _ in 0..3 {
            let (end, status) = replay(&path, |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut consumer = program.consumer();
                // In odd pieces, so that every way of wrapping is met.
                let mut found = Vec::new();
                let mut piece = 1;
                while found.len() < bytes.len() {
                    let length = piece.min(bytes.len() - found.len());
                    found.extend(program.read(&mut consumer, length));
                    piece = (piece * 7 + 1) % 800_001;
                }
                for number in 1..=20u64 {
                    let (slot, stream) = reserve(control);
                    assert_eq!(u64::from(stream), number);
                    let child = fork(|| {
                        let program = Program::live(descriptors, control, slot);
                        let expected = child_bytes(number);
                        let found = program.read(&mut program.consumer(), expected.len() + 1);
                        let result = compare(&found, &expected);
                        program.finish();
                        result
                    });
                    assert_eq!(wait(child), 0);
                }
                let result = compare(&found, &bytes);
                assert!(program.read(&mut consumer, 1).is_empty());
                program.finish();
                result
            });
            assert_eq!((end, status), (ReplayEnd::Finished, 0));
        }
    });
}

#[test]
fn files_are_put_back_into_the_events() {
    in_own_process("replay::files_are_put_back_into_the_events", || {
        let directory = scratch("files");
        let (path, input) = (directory.join("trace"), directory.join("input"));
        let content = noise(3_000_000, 7);
        std::fs::write(&input, &content).unwrap();
        let referring = |range: [u64; 3]| {
            let items =
                [item(Tag::OutputFile, 1, 0x7000, &words(&range)), item(Tag::Text, 0, 0x10, b"between")];
            call(Kind::Call, libc::SYS_read, range[2] as i64, &[3, 0x7000, range[2]], &items.concat())
        };
        let mapping = |file: u64| {
            let items = item(Tag::MapFile, 4, file, &words(&[file, 8192, 4096]));
            call(Kind::Call, libc::SYS_mmap, 0x10000, &[0, 4096, 1, 2, 3, 8192], &items)
        };
        let ranges = [[5, 0, 3_000_000], [5, 17, 1], [5, 100, 0], [5, 2_999_993, 7]];
        let mut bytes = start_event("/bin/true", b"true\0", 0);
        ranges.iter().for_each(|range| bytes.extend(referring(*range)));
        bytes.extend(mapping(5));
        let (summary, _) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                crate::producer::send_file(descriptors, 5, &input);
                program.write(&mut program.producer(), &bytes).unwrap();
                program.finish();
                0
            },
            |_, _| (),
        );
        assert_eq!(summary.bytes_returned, 3_000_008);
        std::fs::remove_file(&input).unwrap();

        let mut expected = start_event("/bin/true", b"true\0", 0);
        for [_, offset, length] in ranges {
            let data = &content[offset as usize..(offset + length) as usize];
            let items = [item(Tag::Output, 1, 0x7000, data), item(Tag::Text, 0, 0x10, b"between")];
            expected.extend(call(
                Kind::Call,
                libc::SYS_read,
                length as i64,
                &[3, 0x7000, length],
                &items.concat(),
            ));
        }
        let (end, status) = replay(&path, |descriptors, control| {
            let program = Program::live(descriptors, control, 0);
            let mut consumer = program.consumer();
            let found = program.read(&mut consumer, expected.len());
            let result = compare(&found, &expected);
            // The mapping: header, result, arguments, then the item with a path of any length.
            let head = program.read(&mut consumer, 8 + 8 + 48);
            assert_eq!(head[..4], mapping(5)[..4]);
            let item = program.read(&mut consumer, 16);
            assert_eq!(item[..2], [Tag::MapPath as u8, 4]);
            assert_eq!(item[8..16], 8192u64.to_le_bytes());
            let length = u32::from_le_bytes([item[4], item[5], item[6], item[7]]) as usize;
            let name = program.read(&mut consumer, length.next_multiple_of(8));
            assert_eq!(
                u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize,
                8 + 48 + 16 + name.len()
            );
            let name = std::str::from_utf8(&name[..length]).unwrap();
            assert!(std::fs::read(name).unwrap() == content, "{name}");
            program.finish();
            result
        });
        assert_eq!((end, status), (ReplayEnd::Finished, 0));
    });
}

#[test]
fn a_file_that_changes_while_it_is_recorded_is_refused_in_replay() {
    in_own_process("replay::a_file_that_changes_while_it_is_recorded_is_refused_in_replay", || {
        let directory = scratch("changing");
        let (path, input) = (directory.join("trace"), directory.join("input"));
        // Too large to be copied, so that it is kept by reference.
        let file = std::fs::File::create(&input).unwrap();
        file.set_len(100 << 20).unwrap();
        let items = item(Tag::OutputFile, 1, 0x7000, &words(&[1, 0, 8]));
        let bytes = call(Kind::Call, libc::SYS_read, 8, &[3, 0x7000, 8], &items);
        let (summary, _) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                crate::producer::send_file(descriptors, 1, &input);
                let all = [start_event("/bin/true", b"true\0", 0), bytes].concat();
                program.write(&mut program.producer(), &all).unwrap();
                std::fs::write(&input, "other").unwrap();
                program.finish();
                0
            },
            |_, _| (),
        );
        assert_eq!(summary.warnings.len(), 1);
        assert!(summary.warnings[0].contains("input") && summary.warnings[0].contains("changed"));
        let (end, _) = replay(&path, |descriptors, control| {
            let program = Program::live(descriptors, control, 0);
            program.read(&mut program.consumer(), usize::MAX);
            loop {
                std::thread::park();
            }
        });
        assert!(matches!(&end, ReplayEnd::Failed(why) if why.contains("changed")), "{end:?}");
    });
}

#[test]
fn a_sealed_file_is_copied_before_it_changes() {
    in_own_process("replay::a_sealed_file_is_copied_before_it_changes", || {
        let directory = scratch("sealed");
        let (path, input) = (directory.join("trace"), directory.join("input"));
        // Too large to be copied at once.
        std::fs::File::create(&input).unwrap().set_len(100 << 20).unwrap();
        let items = item(Tag::OutputFile, 1, 0x7000, &words(&[1, 0, 8]));
        let bytes = call(Kind::Call, libc::SYS_read, 8, &[3, 0x7000, 8], &items);
        let (summary, _) = record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let writer = std::fs::File::options().write(true).open(&input).unwrap();
                assert!(!seal_file(&program, 1, &input), "it is open for writing");
                drop(writer);
                assert!(seal_file(&program, 1, &input));
                let all = [start_event("/bin/true", b"true\0", 0), bytes].concat();
                program.write(&mut program.producer(), &all).unwrap();
                let place = control.slots[0].seal.load(Ordering::Relaxed) - seal::FIRST;
                let value = control.slots[0].seal_value.load(Ordering::Relaxed);
                let now = || control.seals[place as usize].load(Ordering::Relaxed);
                assert_eq!(now(), value);
                std::fs::write(&input, "other").unwrap();
                assert_ne!(now(), value);
                program.finish();
                0
            },
            |_, _| (),
        );
        assert_eq!(summary.warnings, Vec::<String>::new());
        let start = start_event("/bin/true", b"true\0", 0);
        let read = read_call(&[0; 8]);
        let expected = [&start[..], &read].concat();
        let (end, status) = replay(&path, |descriptors, control| {
            let program = Program::live(descriptors, control, 0);
            let found = program.read(&mut program.consumer(), expected.len());
            program.finish();
            compare(&found, &expected)
        });
        assert_eq!((end, status), (ReplayEnd::Finished, 0));
    });
}

#[test]
fn a_divergence_is_reported_and_all_processes_are_killed() {
    in_own_process("replay::a_divergence_is_reported_and_all_processes_are_killed", || {
        let directory = scratch("diverged");
        let path = directory.join("trace");
        record_bytes(&path, &start_event("/bin/true", b"true\0", 0));
        let (end, status) = replay(&path, |descriptors, control| {
            let (slot, _) = reserve(control);
            fork(|| {
                let _program = Program::live(descriptors, control, slot);
                loop {
                    std::thread::park();
                }
            });
            let program = Program::live(descriptors, control, 0);
            // SAFETY: this process is the only one that reports.
            let report = unsafe { &mut *control.report.get() };
            let said = b"expected tea, got coffee";
            (report.stream, report.event, report.text_length) = (0, 12, said.len() as u32);
            report.text[..said.len()].copy_from_slice(said);
            control.report_state.store(2, Ordering::Release);
            control.slots[0].state.store(slot_state::DIVERGED, Ordering::Release);
            program.side().state_changed();
            loop {
                std::thread::park();
            }
        });
        assert_eq!(end, ReplayEnd::Diverged("stream 0, event 12: expected tea, got coffee\n".into()));
        assert_eq!(libc::WTERMSIG(status), libc::SIGKILL);
    });
}

#[test]
fn a_thread_that_ends_with_events_left_has_diverged() {
    in_own_process("replay::a_thread_that_ends_with_events_left_has_diverged", || {
        let directory = scratch("left");
        let path = directory.join("trace");
        record_bytes(&path, &start_event("/bin/true", b"true\0", 0));
        let (end, _) = replay(&path, |descriptors, control| {
            Program::live(descriptors, control, 0).finish();
            0
        });
        let ReplayEnd::Diverged(text) = end else { panic!("{end:?} is no divergence") };
        assert!(text.contains("stream 0") && text.contains("further events"), "{text}");
    });
}

#[test]
fn the_end_of_a_cut_recording_is_told() {
    in_own_process("replay::the_end_of_a_cut_recording_is_told", || {
        let directory = scratch("cut");
        let path = directory.join("trace");
        let whole = start_event("/bin/true", b"true\0", 0);
        let half = &read_call(&noise(1000, 1))[..500];
        record(
            &path,
            |descriptors, control| {
                let program = Program::live(descriptors, control, 0);
                let mut producer = program.producer();
                program.write(&mut producer, &[&whole, half].concat()).unwrap();
                // SAFETY: a plain system call.
                unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
                0
            },
            |_, _| (),
        );
        let (end, status) = replay(&path, |descriptors, control| {
            let program = Program::live(descriptors, control, 0);
            // Of the half event, nothing comes.
            let found = program.read(&mut program.consumer(), whole.len() + 1);
            compare(&found, &whole);
            control.slots[0].state.store(slot_state::STARVED, Ordering::Release);
            program.side().state_changed();
            loop {
                std::thread::park();
            }
        });
        assert_eq!(end, ReplayEnd::EndsEarly("the program was killed by signal 15".into()));
        assert_eq!(libc::WTERMSIG(status), libc::SIGKILL);
    });
}

#[test]
fn a_file_that_the_manifest_lacks_ends_the_replay() {
    in_own_process("replay::a_file_that_the_manifest_lacks_ends_the_replay", || {
        let directory = scratch("missing");
        let path = directory.join("trace");
        let items = item(Tag::OutputFile, 1, 0x7000, &words(&[9, 0, 10]));
        let bytes = call(Kind::Call, libc::SYS_read, 10, &[3, 0x7000, 10], &items);
        record_bytes(&path, &[start_event("/bin/true", b"true\0", 0), bytes].concat());
        let (end, status) = replay(&path, |descriptors, control| {
            let program = Program::live(descriptors, control, 0);
            let mut consumer = program.consumer();
            program.read(&mut consumer, usize::MAX >> 1);
            loop {
                std::thread::park();
            }
        });
        assert!(matches!(&end, ReplayEnd::Failed(why) if why.contains("file 9")), "{end:?}");
        assert_eq!(libc::WTERMSIG(status), libc::SIGKILL);
    });
}
