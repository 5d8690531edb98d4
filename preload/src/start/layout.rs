//! The process image as it is when the library takes control: logged, or compared with the log.

use super::maps::{self, Mapping};
use crate::signals::{Action, kernel_side};
use crate::thread::{self, Thread};
use crate::{arena, divergence, kernel, log, playback, process};
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use core::mem::size_of;
use tracer_core::event::{ImageIdentity, ItemHeader, Kind, Tag};
use tracer_core::trace::files::is_installed;

/// What the kernel put on the initial stack.
pub struct InitialStack {
    /// Arguments.
    pub arguments: Vec<u8>,
    /// Environment, ours included.
    pub environment: Vec<u8>,
    /// Auxiliary vector, pairs of words.
    pub auxiliary: &'static [[u64; 2]],
}

const AT_NULL: u64 = 0;
const AT_RANDOM: u64 = 25;
const AT_EXECFN: u64 = 31;

impl InitialStack {
    /// # Safety
    /// `argv` and `envp` are the arrays that the kernel put on the initial stack, the auxiliary vector behind.
    pub unsafe fn read(argv: *const *mut c_char, envp: *const *mut c_char) -> InitialStack {
        // SAFETY: see above; each array ends with NULL, the vector with AT_NULL.
        unsafe {
            let (arguments, _) = join(argv);
            let (environment, count) = join(envp);
            let vector = envp.add(count + 1).cast::<[u64; 2]>();
            let mut length = 0;
            while (*vector.add(length))[0] != AT_NULL {
                length += 1;
            }
            let auxiliary = core::slice::from_raw_parts(vector, length + 1);
            InitialStack { arguments, environment, auxiliary }
        }
    }

    /// An entry of the auxiliary vector.
    pub fn auxiliary(&self, kind: u64) -> Option<u64> {
        self.auxiliary.iter().find(|entry| entry[0] == kind).map(|entry| entry[1])
    }

    /// The name that execve was given; a replay that executes a kept copy passes another of the same length.
    fn executed_name(&self) -> Option<&'static CStr> {
        // SAFETY: the kernel put a C string there, on the initial stack.
        self.auxiliary(AT_EXECFN).map(|address| unsafe { CStr::from_ptr(address as *const c_char) })
    }

    /// The 16 random bytes.
    pub fn random(&self) -> Option<*mut [u64; 2]> {
        self.auxiliary(AT_RANDOM).map(|address| address as *mut [u64; 2])
    }
}

/// # Safety
/// `strings` is a NULL-terminated array of C strings.
unsafe fn join(strings: *const *mut c_char) -> (Vec<u8>, usize) {
    let mut joined = Vec::with_capacity(8 << 10);
    for i in 0.. {
        // SAFETY: the loop ends at NULL.
        let text = unsafe { *strings.add(i) };
        if text.is_null() {
            return (joined, i);
        }
        // SAFETY: a C string by the contract.
        joined.extend_from_slice(unsafe { CStr::from_ptr(text) }.to_bytes_with_nul());
    }
    (joined, 0)
}

/// Bytes of a plain structure.
fn bytes_of<T: Copy>(value: &T) -> &[u8] {
    // SAFETY: used for `repr(C)` structures of integers without padding.
    unsafe { core::slice::from_raw_parts((value as *const T).cast(), size_of::<T>()) }
}

/// Asks the kernel who we are, and takes the signals over, which tells their dispositions too.
pub fn identity(thread: &Thread, stack: &InitialStack) -> ImageIdentity {
    let (process, id) = kernel::real_ids();
    let mut limit = [0u64; 2];
    // SAFETY: the limit is valid and writable; getppid touches no memory.
    let parent = unsafe {
        let limits = [libc::RLIMIT_STACK as u64, &raw mut limit as u64, 0, 0, 0, 0];
        let _ = kernel::call(libc::SYS_getrlimit, limits);
        kernel::call(libc::SYS_getppid, [0; 6]).unwrap_or(0)
    };
    // First: when a signal has come, our handler leaves everything blocked.
    let blocked = kernel_side::current_mask();
    kernel_side::use_signal_stack(thread::signal_stack_of(thread.area));
    ImageIdentity {
        process,
        thread: id,
        parent: parent as u32,
        stream: thread.stream,
        stack_limit: limit,
        ignored_signals: kernel_side::take_over(),
        blocked_signals: blocked,
        // SAFETY: AT_RANDOM points to 16 bytes on the initial stack.
        random: stack.random().map_or([0, 0], |random| unsafe { random.read_unaligned() }),
    }
}

/// Recording: logs the image, which may be the recording's first.
pub fn record(
    thread: &mut Thread,
    stack: &InitialStack,
    identity: &ImageIdentity,
    map_text: &[u8],
    mappings: &[Mapping],
    is_first: bool,
) {
    let (mut path, mut directory) = ([0u8; 4096], [0u8; 4096]);
    let executable = executable(stack, mappings, is_first, &mut path);
    let directory = kernel::current_directory(&mut directory).unwrap_or_default();
    // SAFETY: pairs of words have no padding.
    let auxiliary =
        unsafe { core::slice::from_raw_parts(stack.auxiliary.as_ptr().cast(), size_of_val(stack.auxiliary)) };
    let parts: [(Tag, &[u8]); 7] = [
        (Tag::Identity, bytes_of(identity)),
        (Tag::Executable, executable),
        (Tag::Arguments, &stack.arguments),
        (Tag::Environment, &stack.environment),
        (Tag::AuxiliaryVector, auxiliary),
        (Tag::Directory, directory),
        (Tag::Maps, map_text),
    ];
    thread.items.clear();
    for (tag, data) in parts {
        thread.items.push(tag, 0, 0, data.as_ptr(), data.len());
    }
    // It measures how long it took, with `rdtsc`, before we can see that; the result is the only word of an image that
    // differs from run to run and that nothing else says.
    for mapping in of_loader(stack, mappings).filter(|mapping| mapping.writable) {
        let length = (mapping.end - mapping.begin) as usize;
        thread.items.push(Tag::Output, 0, mapping.begin, mapping.begin as *const u8, length);
    }
    if let Some(name) = stack.executed_name() {
        let address = name.as_ptr();
        thread.items.push(Tag::Output, 0, address as u64, address.cast(), name.count_bytes());
    }
    // By this path it can be opened even if it has just been deleted.
    if !is_installed(executable)
        && let Ok(descriptor) = kernel::open(c"/proc/self/exe")
    {
        process::get().files.push_program(thread, descriptor);
        kernel::close(descriptor);
    }
    log::items_only(thread, Kind::Start, 0, 0);
}

/// The program's path: of the recording's first program what was executed, since a replay executes that again, and the
/// length of this name decides where the stack begins; its file may have been replaced or renamed meanwhile. Of others what
/// their mapping is called, which is no new look into /proc. There, a newline is written as an escape.
fn executable<'a>(
    stack: &InitialStack,
    mappings: &[Mapping<'a>],
    is_first: bool,
    buffer: &'a mut [u8],
) -> &'a [u8] {
    const AT_ENTRY: u64 = 9;
    if let Some(name) = stack.executed_name().filter(|_| is_first) {
        return name.to_bytes();
    }
    let entry = stack.auxiliary(AT_ENTRY).unwrap_or(0);
    let own = mappings.iter().find(|mapping| (mapping.begin..mapping.end).contains(&entry));
    match own {
        Some(own) if own.name.first() == Some(&b'/') && !own.name.contains(&b'\\') => own.name,
        _ => kernel::read_link(c"/proc/self/exe", buffer).unwrap_or_default(),
    }
}

/// The loader's mappings.
pub fn of_loader<'a>(
    stack: &InitialStack,
    mappings: &'a [Mapping<'a>],
) -> impl Iterator<Item = &'a Mapping<'a>> {
    const AT_BASE: u64 = 7;
    let base = stack.auxiliary(AT_BASE);
    let first = mappings.iter().find(|mapping| Some(mapping.begin) == base);
    mappings.iter().filter(move |mapping| first.is_some_and(|first| first.name == mapping.name))
}

/// Replay: takes the image's identity from the log, and verifies that everything is where it was.
pub fn replay(thread: &mut Thread, mappings: &[Mapping]) -> ImageIdentity {
    let header = playback::plain(thread, Kind::Start, 0, b"the start of a program image");
    let mut remaining = header.length as usize;
    let mut identity = None;
    while remaining >= ItemHeader::SIZE {
        let item = ItemHeader::from_bytes(playback::value(thread));
        let stored = item.stored_size();
        if stored > remaining {
            divergence::damaged(thread, b"an item is longer than its event");
        }
        remaining -= stored;
        let length = item.length as usize;
        let mut data = alloc::vec![0u8; length];
        playback::body(thread, &mut data);
        playback::skip(thread, tracer_core::event::padded(length) - length);
        if item.tag == Tag::Identity as u8 && length == size_of::<ImageIdentity>() {
            // SAFETY: the length is right, and any bytes are a valid ImageIdentity.
            identity = Some(unsafe { data.as_ptr().cast::<ImageIdentity>().read_unaligned() });
        } else if item.tag == Tag::Maps as u8 {
            compare(thread, &data, mappings);
        } else if item.tag == Tag::Output as u8 && !log::write_program(item.value, &data) {
            divergence::unwritable(thread, item.value, length);
        }
    }
    let Some(identity) = identity else { divergence::damaged(thread, b"a program image has no identity") };
    identity
}

/// Both layouts must agree in all that is not ours.
fn compare(thread: &mut Thread, logged: &[u8], present: &[Mapping]) {
    let relevant =
        |mapping: &Mapping| !arena::RANGE.contains(&(mapping.begin as usize)) && mapping.name != b"[stack]";
    let mut logged = maps::parse(logged).filter(relevant);
    let mut present = present.iter().copied().filter(relevant);
    loop {
        match (logged.next(), present.next()) {
            (None, None) => return,
            (Some(a), Some(b)) if a.begin == b.begin && a.end == b.end && a.offset == b.offset => {}
            (a, b) => divergence::other_layout(thread, a, b),
        }
    }
}

/// The dispositions that the image began with.
pub fn initial_actions(identity: &ImageIdentity) -> [Action; 65] {
    let mut actions = [Action::DEFAULT; 65];
    for signal in 1..=64 {
        if identity.ignored_signals & crate::signals::bit(signal) != 0 {
            actions[signal as usize].handler = libc::SIG_IGN as u64;
        }
    }
    actions
}

/// The state of process and thread that follows from the identity.
pub fn adopt(thread: &mut Thread, identity: &ImageIdentity) {
    let process = process::get();
    process.id = identity.process;
    process.actions = initial_actions(identity);
    thread.id = identity.thread;
    thread.blocked = identity.blocked_signals;
}
