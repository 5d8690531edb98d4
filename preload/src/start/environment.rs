//! What the launcher told us, and taking it out of the program's sight.

use super::maps::hexadecimal;
use crate::output::Outputs;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char};
use tracer_core::session::{Mode, environment};

/// How the entry of the preloaded libraries begins.
const PRELOAD: &[u8] = b"LD_PRELOAD=";
/// An entry of the auxiliary vector that is to be ignored.
const AT_IGNORE: usize = 1;

/// What the library is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: IMITATE_MODE=off.
    Off,
    /// Record, or replay: the mode, if one was named.
    On(Option<Mode>),
    /// IMITATE_MODE has a value that means nothing.
    Nonsense,
}

/// An attached session, as IMITATE_SESSION describes it.
#[derive(Clone, Copy, Debug)]
pub struct Attachment {
    /// Descriptor of the session's memory.
    pub memory: i32,
    /// Descriptor of the socket.
    pub socket: i32,
    /// Slot of this process's first thread.
    pub slot: usize,
}

/// The environment block on the initial stack.
pub struct Environment {
    first: *mut *mut c_char,
}

impl Environment {
    /// # Safety
    /// `first` is the NULL-terminated array of the environment that the kernel gave this process.
    pub unsafe fn new(first: *mut *mut c_char) -> Environment {
        Environment { first }
    }

    fn entry(&self, index: usize) -> Option<&'static CStr> {
        // SAFETY: the array ends with NULL, and callers stop at None.
        let text = unsafe { *self.first.add(index) };
        // SAFETY: its entries are C strings on the initial stack.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
    }

    fn entries(&self) -> impl Iterator<Item = &'static [u8]> {
        (0..).map_while(|index| self.entry(index)).map(CStr::to_bytes)
    }

    /// The value of a variable.
    pub fn get(&self, name: &str) -> Option<&'static [u8]> {
        self.entries().find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// IMITATE_MODE.
    pub fn wanted(&self) -> Wanted {
        match self.get(environment::MODE) {
            None => Wanted::On(None),
            Some(b"record") => Wanted::On(Some(Mode::Record)),
            Some(b"replay") => Wanted::On(Some(Mode::Replay)),
            Some(b"off") => Wanted::Off,
            Some(_) => Wanted::Nonsense,
        }
    }

    /// IMITATE_SESSION, if it is complete.
    pub fn attachment(&self) -> Option<Attachment> {
        let mut fields = self.get(environment::SESSION)?.split(|byte| *byte == b',').map(hexadecimal);
        let mut next = || fields.next().flatten();
        Some(Attachment { memory: next()? as i32, socket: next()? as i32, slot: next()? as usize })
    }

    /// Whether this is the first program of its session.
    pub fn is_first(&self) -> bool {
        self.get(environment::OUTPUTS).is_none()
    }

    /// IMITATE_OUTPUTS, or what a first process has.
    pub fn outputs(&self) -> Outputs {
        let sets = self.get(environment::OUTPUTS).and_then(|value| {
            let mut fields = value.split(|byte| *byte == b',').map(hexadecimal);
            Some([fields.next()??, fields.next()??])
        });
        sets.map_or(Outputs::INITIAL, Outputs::from_sets)
    }

    /// Our entry of LD_PRELOAD: what children get.
    pub fn library(&self) -> Vec<u8> {
        let value = self.get("LD_PRELOAD").unwrap_or_default();
        value.split(|byte| *byte == b':').next().unwrap_or_default().to_vec()
    }

    /// Removes what is ours: the IMITATE variables and our entry of LD_PRELOAD. Their bytes are wiped, because
    /// they differ between recording and replay.
    ///
    /// The auxiliary vector stays where it is, for libc and ld.so know where that is. Others look for it behind the
    /// environment (the runtime of Go, `runtime·sysargs`): what is between is made entries of the vector that say nothing.
    pub fn hide(&self) {
        let (mut from, mut to) = (0, 0);
        loop {
            // SAFETY: `from` is at most the index of the terminating NULL, where the loop ends.
            let text = unsafe { *self.first.add(from) };
            if text.is_null() {
                break;
            }
            // SAFETY: entries are C strings on the initial stack, which is writable, and nobody else has them yet.
            if let Some(kept) = unsafe { own_part(text) } {
                self.set(to, kept);
                to += 1;
            }
            from += 1;
        }
        if (from - to) % 2 == 1 {
            // Only where no recording has begun: the launcher makes it even.
            self.set(to, environment::PADDING.as_ptr().cast_mut());
            to += 1;
        }
        self.set(to, core::ptr::null_mut());
        for pair in (to + 1..from).step_by(2) {
            self.set(pair, AT_IGNORE as *mut c_char);
            self.set(pair + 1, core::ptr::null_mut());
        }
    }

    /// Sets a word of the array.
    fn set(&self, index: usize, text: *mut c_char) {
        // SAFETY: callers write over entries that they have read, or over the NULL at the end, on the writable stack.
        unsafe { *self.first.add(index) = text };
    }
}

/// What the program is to see of an entry. The rest is wiped.
///
/// # Safety
/// `text` is a writable C string to which there is no reference.
unsafe fn own_part(text: *mut c_char) -> Option<*mut c_char> {
    // SAFETY: see above; the reference does not outlive this.
    let (length, skipped) = unsafe {
        let bytes = CStr::from_ptr(text).to_bytes();
        let skipped = match bytes.strip_prefix(PRELOAD) {
            Some(value) => value.iter().position(|byte| *byte == b':').map(|colon| colon + 1),
            None if bytes.starts_with(b"IMITATE_") => None,
            None => return Some(text),
        };
        (bytes.len(), skipped)
    };
    // SAFETY: see above; the colon is there.
    unsafe {
        match skipped {
            Some(skipped) => Some(keep_rest(text, length, skipped)),
            None => {
                core::ptr::write_bytes(text, 0, length);
                None
            }
        }
    }
}

/// Turns `LD_PRELOAD=<ours>:<rest>` into `LD_PRELOAD=<rest>`, at the end of the same bytes; where it begins.
///
/// # Safety
/// `text` is a writable C string of `length` bytes with the colon at `LD_PRELOAD=`'s length plus `skip` - 1.
unsafe fn keep_rest(text: *mut c_char, length: usize, skip: usize) -> *mut c_char {
    debug_assert!(PRELOAD.len() + skip <= length);
    // SAFETY: the name is written over the end of our entry, inside the string.
    unsafe {
        core::ptr::write_bytes(text, 0, skip);
        let start = text.add(skip);
        core::ptr::copy_nonoverlapping(PRELOAD.as_ptr().cast(), start, PRELOAD.len());
        start
    }
}
