//! execve and execveat: the new image gets our library and session whatever environment the program passes.
//!
//! What can be loaded is looked at first, in user space: scripts are resolved to their interpreters (so that
//! replay needs no script file), and what cannot be preloaded (static, set-user-id, 32-bit) runs unrecorded,
//! with a note. Replay uses the path and arguments that the recording came to.

use super::generic;
use crate::signals::kernel_side;
use crate::thread::Thread;
use crate::{divergence, kernel, log, playback, process, processor};
use alloc::vec::Vec;
use core::ffi::CStr;
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::{frame::Frame, raw, trap};
use tracer_core::companion::launch::disguise;
use tracer_core::event::{Kind, Tag, flags};
use tracer_core::session::{Mode, environment, slot_state};
use tracer_core::syscalls::Syscall;

type Text = Vec<u8>;

/// A target as it will be passed to the kernel.
struct Image {
    /// Absolute path, NUL-terminated.
    path: Text,
    /// Arguments, each NUL-terminated.
    arguments: Vec<Text>,
    /// Replay: where its content is, NUL-terminated.
    content: Option<Text>,
    /// Recording: the file.
    opened: Option<Opened>,
    /// Why it cannot be recorded, if so.
    unrecorded: Option<&'static [u8]>,
}

/// An open file, closed in the end.
struct Opened {
    descriptor: i32,
    status: libc::stat,
}

impl Drop for Opened {
    fn drop(&mut self) {
        kernel::close(self.descriptor);
    }
}

impl Opened {
    fn new(path: &CStr) -> Result<Opened, kernel::Errno> {
        let descriptor = kernel::open(path)?;
        match kernel::status(descriptor) {
            Ok(status) => Ok(Opened { descriptor, status }),
            Err(error) => {
                kernel::close(descriptor);
                Err(error)
            }
        }
    }
}

const DEEPEST_SCRIPT: usize = 4;
const LONGEST_PATH: usize = 4096;
const MOST_STRINGS: usize = 1 << 20;
const LONGEST_STRING: usize = 128 << 10;

/// execve(2), execveat(2).
pub fn exec(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    let at = syscall.number as i64 == libc::SYS_execveat;
    let (path, argv, envp) = match at {
        true => (arguments[1], arguments[2], arguments[3]),
        false => (arguments[0], arguments[1], arguments[2]),
    };
    let strings = read_strings(argv).zip(read_strings(envp));
    match (process::get().mode, strings) {
        (Mode::Record, Some((argv, envp))) => {
            let directory = if at { arguments[0] as i32 } else { libc::AT_FDCWD };
            let empty_path = at && arguments[4] & libc::AT_EMPTY_PATH as u64 != 0;
            let result = match resolve(directory, path, empty_path, argv) {
                Ok(image) => record(thread, syscall, &arguments, &image, envp),
                Err(error) => -error as i64,
            };
            // Not all that it read: the arguments can be thousands, and a search along PATH fails often.
            thread.items.clear();
            if let Some(text) = read_string(path, LONGEST_PATH) {
                thread.items.push_copy(Tag::Text, at as u8, path, &text[..text.len() - 1]);
            }
            if result == generic::INTERRUPTED {
                // A signal came before the kernel had begun: the new image must not take it along, put aside in the memory
                // of the old. After the signal it is made again, which programs do not see of an exec.
                log::call(thread, Kind::Call, syscall, &arguments, result, flags::RESTART);
                return generic::finish(frame, result, true);
            }
            super::conclude(thread, frame, syscall, &arguments, result, 0);
        }
        (Mode::Record, None) => {
            super::conclude(thread, frame, syscall, &arguments, -libc::EFAULT as i64, 0);
        }
        (Mode::Replay, strings) => {
            let entry = playback::take_if(thread, |next| {
                next.kind == Kind::Entry as u8 && next.number == syscall.number
            });
            if let Some(entry) = entry {
                thread.next = Some(entry);
                replay(thread, syscall, &arguments, strings.map(|(_, envp)| envp).unwrap_or_default());
            }
            generic::emulate(thread, frame, syscall);
        }
    }
}

/// Reads a NULL-terminated array of strings (NULL for none) of the program.
fn read_strings(address: u64) -> Option<Vec<Text>> {
    let mut strings = Vec::new();
    if address == 0 {
        return Some(strings);
    }
    for i in 0..MOST_STRINGS as u64 {
        match log::read_value::<u64>(address + 8 * i)? {
            0 => return Some(strings),
            place => strings.push(read_string(place, LONGEST_STRING)?),
        }
    }
    None
}

/// Reads a string with its NUL.
fn read_string(address: u64, longest: usize) -> Option<Text> {
    let mut text = Text::new();
    while text.len() < longest {
        // To the end of the page: what follows the NUL may not be mapped.
        let start = address + text.len() as u64;
        let mut piece = [0u8; 256];
        let length = (4096 - (start & 4095)).min(piece.len() as u64) as usize;
        let piece = &mut piece[..length];
        if !tracer_core::syscalls::Memory::read(&log::ProgramMemory, start, piece) {
            return None;
        }
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            text.extend_from_slice(&piece[..=end]);
            return Some(text);
        }
        text.extend_from_slice(piece);
    }
    None
}

/// Finds out what the kernel would load.
fn resolve(directory: i32, path: u64, empty_path: bool, argv: Vec<Text>) -> Result<Image, kernel::Errno> {
    let given = read_string(path, LONGEST_PATH).ok_or(libc::EFAULT)?;
    let (mut name, mut buffer) = ([0u8; 40], [0u8; LONGEST_PATH]);
    let absolute = if given[0] == b'/' {
        given
    } else if given.len() == 1 && !empty_path {
        return Err(libc::ENOENT);
    } else {
        let base = match directory {
            libc::AT_FDCWD => kernel::current_directory(&mut buffer)?,
            descriptor => kernel::read_link(kernel::descriptor_path(descriptor, &mut name), &mut buffer)?,
        };
        let mut joined = Text::from(base);
        if given.len() > 1 {
            joined.push(b'/');
        }
        joined.extend_from_slice(&given);
        joined
    };
    resolve_interpreters(Image {
        path: absolute,
        arguments: argv,
        content: None,
        opened: None,
        unrecorded: None,
    })
}

fn resolve_interpreters(mut image: Image) -> Result<Image, kernel::Errno> {
    for _ in 0..=DEEPEST_SCRIPT {
        let path = CStr::from_bytes_until_nul(&image.path).map_err(|_| libc::EINVAL)?;
        check_executable(path)?;
        let opened = Opened::new(path)?;
        let mut head = [0u8; 512];
        let length = kernel::read(opened.descriptor, &mut head)?;
        if head.starts_with(b"#!") {
            image = through_script(image, &head[..length])?;
            continue;
        }
        image.unrecorded = if !head.starts_with(b"\x7fELF") {
            None
        } else if head[4] != 2 || head[18] != 62 {
            Some(b"it is not a 64-bit x86 program")
        } else if !names_interpreter(opened.descriptor, &head) {
            Some(b"it is statically linked")
        } else if gains_privileges(&opened.status) {
            Some(b"it changes user or group (set-user-id or set-group-id)")
        } else {
            None
        };
        image.opened = Some(opened);
        return Ok(image);
    }
    Err(libc::ELOOP)
}

/// execve needs the execute permission, which opening for reading does not show.
fn check_executable(path: &CStr) -> Result<(), kernel::Errno> {
    const X_OK: u64 = 1;
    // SAFETY: the path is valid.
    unsafe {
        kernel::call(
            libc::SYS_faccessat2,
            [libc::AT_FDCWD as i64 as u64, path.as_ptr() as u64, X_OK, libc::AT_EACCESS as u64, 0, 0],
        )
    }
    .map(drop)
}

/// Whether running the file changes ids: then the loader ignores LD_PRELOAD (ld.so(8), secure execution).
fn gains_privileges(status: &libc::stat) -> bool {
    // SAFETY: neither call touches memory.
    let (user, group) =
        unsafe { (raw::call(libc::SYS_geteuid, [0; 6]), raw::call(libc::SYS_getegid, [0; 6])) };
    status.st_mode & libc::S_ISUID != 0 && status.st_uid as i64 != user
        || status.st_mode & libc::S_ISGID != 0 && status.st_gid as i64 != group
}

/// Whether an ELF file has a PT_INTERP segment: without one nobody would load our library.
fn names_interpreter(descriptor: i32, head: &[u8; 512]) -> bool {
    const PT_INTERP: u32 = 3;
    const ENTRY: usize = 56;
    let word = |at: usize| u64::from_le_bytes(core::array::from_fn(|i| head[at + i]));
    let (offset, count) = (word(32), u16::from_le_bytes([head[56], head[57]]) as usize);
    let mut table = [0u8; 64 * ENTRY];
    let table = &mut table[..count.min(64) * ENTRY];
    let arguments = [descriptor as u64, table.as_mut_ptr() as u64, table.len() as u64, offset, 0, 0];
    // SAFETY: the table is valid and writable.
    let read = unsafe { kernel::call(libc::SYS_pread64, arguments) }.unwrap_or(0) as usize;
    table[..read].chunks_exact(ENTRY).any(|entry| entry[..4] == PT_INTERP.to_le_bytes())
}

/// `#! interpreter [argument]`, as the kernel reads it (fs/binfmt_script.c).
fn through_script(image: Image, head: &[u8]) -> Result<Image, kernel::Errno> {
    let line = head[2..].split(|byte| *byte == b'\n').next().unwrap_or(&[]);
    let line = line.trim_ascii();
    let split = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (interpreter, argument) = match split {
        Some(at) => (&line[..at], Some(line[at..].trim_ascii_start())),
        None => (line, None),
    };
    if interpreter.is_empty() {
        return Err(libc::ENOEXEC);
    }
    let terminated = |text: &[u8]| {
        let mut text = Text::from(text);
        text.push(0);
        text
    };
    let mut arguments = Vec::with_capacity(image.arguments.len() + 2);
    arguments.push(terminated(interpreter));
    arguments.extend(argument.map(terminated));
    arguments.push(image.path);
    arguments.extend(image.arguments.into_iter().skip(1));
    Ok(Image { path: terminated(interpreter), arguments, content: None, opened: None, unrecorded: None })
}

/// Logs and makes the exec; returns only if it failed.
fn record(
    thread: &mut Thread,
    syscall: &'static Syscall,
    arguments: &[u64; 6],
    image: &Image,
    envp: Vec<Text>,
) -> i64 {
    let joined: Text = image.arguments.concat();
    thread.items.clear();
    let path = &image.path[..image.path.len() - 1];
    thread.items.push(Tag::Executable, 0, 0, path.as_ptr(), path.len());
    thread.items.push(Tag::Arguments, 0, 0, joined.as_ptr(), joined.len());
    if image.unrecorded.is_none()
        && let Some(opened) = &image.opened
    {
        process::get().files.push_executed(thread, path, opened.descriptor, &opened.status);
    }
    let outputs = &process::get().outputs;
    let flag = match image.unrecorded {
        // What it writes there will be missing from the replay.
        Some(_) => flags::UNRECORDED | outputs.flag(1) | outputs.flag(2),
        None => 0,
    };
    log::call(thread, Kind::Entry, syscall, arguments, 0, flag);
    let control = process::control();
    if let Some(reason) = image.unrecorded {
        kernel::complain(&[path, b" runs unrecorded: ", reason]);
        control.slots[thread.slot].state.store(slot_state::FINISHED, Ordering::Release);
        control.live_processes.fetch_sub(1, Ordering::Relaxed);
        mark_close_on_exec(true);
        crate::order::before_exec(thread);
        let result = enter(thread, image, envp);
        crate::order::stay(thread);
        mark_close_on_exec(false);
        control.slots[thread.slot].state.store(slot_state::LIVE, Ordering::Release);
        control.live_processes.fetch_add(1, Ordering::Relaxed);
        return result;
    }
    let outputs = process::get().outputs.after_exec();
    let environment = with_session(envp, thread.slot, outputs);
    super::process::others_may_end(thread);
    crate::order::before_exec(thread);
    let result = enter(thread, image, environment);
    crate::order::stay(thread);
    super::process::others_go_on(thread);
    result
}

/// Replay: makes the recorded exec, unless it failed in the recording.
fn replay(thread: &mut Thread, syscall: &'static Syscall, arguments: &[u64; 6], envp: Vec<Text>) {
    let entry = playback::outcome(thread, Kind::Entry, syscall, arguments);
    let mut image =
        Image { path: Text::new(), arguments: Vec::new(), content: None, opened: None, unrecorded: None };
    playback::items(thread, syscall, entry.items, |thread, item| {
        let mut data = alloc::vec![0u8; item.length as usize];
        playback::body(thread, &mut data);
        if item.tag == Tag::Executable as u8 {
            data.push(0);
            image.path = data;
        } else if item.tag == Tag::MapPath as u8 {
            data.push(0);
            image.content = Some(data);
        } else {
            image.arguments = data.split_inclusive(|byte| *byte == 0).map(Text::from).collect();
        }
    });
    if entry.flags & flags::UNRECORDED != 0 {
        if playback::peek(thread).is_none() {
            let path = &image.path[..image.path.len().saturating_sub(1)];
            if entry.flags & (flags::STDOUT | flags::STDERR) != 0 {
                kernel::complain(&[path, b" ran unrecorded, so what it wrote is missing from this replay"]);
            }
            let slot = &process::control().slots[thread.slot];
            slot.unrecorded.store(process::get().real_id, Ordering::Relaxed);
            super::process::finish(thread);
            kernel::exit(0);
        }
        return;
    }
    if playback::peek(thread).is_none_or(|next| next.kind != Kind::Start as u8) {
        return;
    }
    // The header stays in the ring for the new image.
    thread.consumer.rewind(tracer_core::event::Header::SIZE);
    process::control().slots[thread.slot].position.store(thread.events - 1, Ordering::Relaxed);
    crate::order::leave_with_process(thread);
    let error = enter(thread, &image, with_session(envp, thread.slot, [0, 0]));
    divergence::impossible(thread, "execute", &image.path[..image.path.len() - 1], -error as i32);
}

/// execve with everything of ours that must not outlive this image undone; redone if it fails.
fn enter(thread: &Thread, image: &Image, envp: Vec<Text>) -> i64 {
    let pointers =
        |texts: &[Text]| -> Vec<u64> { texts.iter().map(|text| text.as_ptr() as u64).chain([0]).collect() };
    let (argv, environment) = (pointers(&image.arguments), pointers(&envp));
    let path = match &image.content {
        Some(content) if *content != image.path => match disguise(content, image.path.len() - 1) {
            Ok(name) => name,
            Err(error) => return -error as i64,
        },
        _ => image.path.clone(),
    };
    trap::trap_time_stamps(false);
    crate::order::scatter();
    // The new image inherits the mask; a SIGSYS handler, in which we may be, has everything blocked.
    let mask = kernel_side::current_mask();
    kernel_side::block(thread.blocked);
    let arguments = [path.as_ptr() as u64, argv.as_ptr() as u64, environment.as_ptr() as u64, 0, 0, 0];
    let result = generic::call(thread, libc::SYS_execve, arguments);
    kernel_side::set_mask(mask);
    crate::time_stamps::restore();
    result
}

/// A name of `length` bytes by which the kept `content` can be executed (`tracer_core::companion::launch::disguise`).
/// The descriptor is closed by the exec; if that fails, the replay ends.
fn disguise(content: &[u8], length: usize) -> Result<Text, kernel::Errno> {
    let mut descriptor = kernel::open(CStr::from_bytes_until_nul(content).map_err(|_| libc::EINVAL)?)?;
    let mut name = alloc::vec![0u8; length + 1];
    if !disguise::write(descriptor as u32, &mut name[..length]) {
        let minimum = disguise::minimum(descriptor as u32) as u64;
        let duplicate = [descriptor as u64, libc::F_DUPFD_CLOEXEC as u64, minimum, 0, 0, 0];
        // SAFETY: duplicating a descriptor touches no memory.
        descriptor = unsafe { kernel::call(libc::SYS_fcntl, duplicate) }? as i32;
        if !disguise::write(descriptor as u32, &mut name[..length]) {
            return Err(libc::ENAMETOOLONG);
        }
    }
    // The program is told of another directory, and all paths that replay uses are absolute.
    // SAFETY: the path is valid.
    unsafe { kernel::call(libc::SYS_chdir, [disguise::DIRECTORY.as_ptr() as u64, 0, 0, 0, 0, 0]) }?;
    Ok(name)
}

/// Our descriptors must not leak into a program that does not know of them.
fn mark_close_on_exec(set: bool) {
    let process = process::get();
    for descriptor in [process.memory, process.socket] {
        let flag = if set { libc::FD_CLOEXEC as u64 } else { 0 };
        // SAFETY: F_SETFD touches no memory.
        let _ = unsafe {
            kernel::call(libc::SYS_fcntl, [descriptor as u64, libc::F_SETFD as u64, flag, 0, 0, 0])
        };
    }
}

/// The program's environment with our variables last, in the same order and of the same length as the
/// launcher's (tracer_core::companion::launch), plus the outputs that stay open.
fn with_session(mut envp: Vec<Text>, slot: usize, outputs: [u64; 2]) -> Vec<Text> {
    let process = process::get();
    let hidden = processor::hidden();
    if !hidden.is_empty() {
        let variable = |text: Vec<u8>| [&text[..], b"\0"].concat();
        hidden.tell_libc(&mut envp, |variable| variable.strip_suffix(b"\0").unwrap_or(variable), variable);
    }
    let mut preload = Text::from(b"LD_PRELOAD=");
    preload.extend_from_slice(&process.library);
    let mut block: Vec<Text> = Vec::with_capacity(envp.len() + 5);
    let mut preload_stays = false;
    for variable in envp {
        if let Some(own) = variable.strip_prefix(b"LD_PRELOAD=") {
            preload_stays = true;
            preload.push(b':');
            preload.extend_from_slice(&own[..own.len() - 1]);
        } else if !variable.starts_with(b"IMITATE_") {
            block.push(variable);
        }
    }
    preload.push(0);
    let mode: &[u8] = if process.mode == Mode::Record { b"record" } else { b"replay" };
    let session = alloc::format!(
        "{}={:04x},{:04x},{:04x}\0",
        environment::SESSION,
        process.memory,
        process.socket,
        slot
    );
    let outputs = alloc::format!("{}={:016x},{:016x}\0", environment::OUTPUTS, outputs[0], outputs[1]);
    block.push(preload);
    block.push([environment::MODE.as_bytes(), b"=", mode, b"\0"].concat());
    block.push(session.into_bytes());
    block.push(outputs.into_bytes());
    if preload_stays {
        block.push(environment::PADDING.to_bytes_with_nul().to_vec());
    }
    block
}
