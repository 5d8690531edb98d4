//! A small trace, written with the storage's own functions: a program that looked at a file, asked for the
//! time, met a signal and exited with 3.

use std::path::{Path, PathBuf};
use tracer_core::event::{Header, ImageIdentity, Instruction, ItemHeader, Kind, Tag, padded};
use tracer_core::trace::chunk::Writer;
use tracer_core::trace::directory::{create_in, events_path};
use tracer_core::trace::manifest::{Ended, Host, Manifest, Process, ProcessEnded, Recorder};

/// The program's process id.
pub const PROCESS: u32 = 4711;
/// Events in the trace.
pub const EVENTS: u64 = 8;
/// Bytes that the program read.
pub const CONTENTS: &[u8] = b"root:x:0:0\n";

/// Makes a complete trace, or one of which the end mark and the last event's last bytes are missing, and gives
/// its directory.
pub fn trace(storage: &Path, program: &str, complete: bool) -> PathBuf {
    let directory = create_in(storage, Path::new(program)).unwrap();
    let path = directory.path().to_owned();
    let mut events = stream();
    if !complete {
        events.truncate(events.len() - 8);
    }
    let mut writer = Writer::create(&events_path(&path)).unwrap();
    writer.append(0, &events, complete).unwrap();
    if complete {
        writer.finish().unwrap();
    }
    manifest(program, complete).store(&path).unwrap();
    path
}

fn manifest(program: &str, complete: bool) -> Manifest {
    let command = vec![program.into(), "two words".into()];
    let mut manifest =
        Manifest::begin(Recorder::default(), command.clone(), "/".into(), Host::default(), "serial");
    manifest.processes.push(Process {
        stream: 0,
        process_id: PROCESS,
        parent_stream: None,
        executable: program.into(),
        arguments: command,
        ended: if complete { ProcessEnded::Exited(3) } else { ProcessEnded::CutShort("cut".into()) },
        events: EVENTS,
    });
    manifest.totals.events = EVENTS;
    if complete {
        manifest.end(Ended::Complete);
    }
    manifest
}

fn stream() -> Vec<u8> {
    let mut bytes = Vec::new();
    let identity = ImageIdentity {
        process: PROCESS,
        thread: PROCESS,
        parent: 1,
        stream: 0,
        stack_limit: [8 << 20, u64::MAX],
        ignored_signals: 0,
        blocked_signals: 0,
        random: [1, 2],
    };
    let items = [item(Tag::Executable, 0, 0, b"/bin/reader"), item(Tag::Identity, 0, 0, &words_of(identity))];
    event(&mut bytes, Kind::Start, 0, 0, &[], &items.concat());
    let path = item(Tag::Text, 1, 0x1000, b"/etc/passwd");
    call(&mut bytes, Kind::Call, libc::SYS_openat, 3, &[-100_i64 as u64, 0x1000, 0, 0], &path);
    let contents = item(Tag::Output, 1, 0x2000, CONTENTS);
    call(&mut bytes, Kind::Call, libc::SYS_read, CONTENTS.len() as i64, &[3, 0x2000, 4096], &contents);
    let failed = -i64::from(libc::EBADF);
    call(&mut bytes, Kind::Call, libc::SYS_close, failed, &[77], &[]);
    event(&mut bytes, Kind::Clock, 0, libc::SYS_clock_gettime as u16, &[0, 1_700_000_000, 123_456_789], &[]);
    event(&mut bytes, Kind::Instruction, 0, Instruction::Rdtsc as u16, &[0x1234, 0, 0, 0x5], &[]);
    let information = item(Tag::Output, 0, 0x3000, &[0; 128]);
    event(&mut bytes, Kind::Signal, 0, libc::SIGALRM as u16, &[], &information);
    call(&mut bytes, Kind::Entry, libc::SYS_exit_group, 0, &[3], &[]);
    bytes
}

/// As it is in memory.
fn words_of(identity: ImageIdentity) -> Vec<u8> {
    let ImageIdentity { process, thread, parent, stream, stack_limit, .. } = identity;
    let ImageIdentity { ignored_signals, blocked_signals, random, .. } = identity;
    let ids = [process, thread, parent, stream].map(u32::to_le_bytes).concat();
    let [soft, hard] = stack_limit;
    let [low, high] = random;
    let words = [soft, hard, ignored_signals, blocked_signals, low, high].map(u64::to_le_bytes).concat();
    [ids, words].concat()
}

fn call(bytes: &mut Vec<u8>, kind: Kind, number: i64, result: i64, arguments: &[u64], items: &[u8]) {
    let words = [&[result as u64], arguments].concat();
    event(bytes, kind, arguments.len() as u8, number as u16, &words, items);
}

fn event(bytes: &mut Vec<u8>, kind: Kind, flags: u8, number: u16, words: &[u64], items: &[u8]) {
    let length = (words.len() * 8 + items.len()) as u32;
    bytes.extend(Header { kind: kind as u8, flags, number, length }.to_bytes());
    bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    bytes.extend(items);
}

fn item(tag: Tag, argument: u8, value: u64, data: &[u8]) -> Vec<u8> {
    let header = ItemHeader { tag: tag as u8, argument, reserved: 0, length: data.len() as u32, value };
    let mut bytes = header.to_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(ItemHeader::SIZE + padded(data.len()), 0);
    bytes
}
