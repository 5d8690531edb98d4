//! A native backtrace of a process that stands still, with names and, where there is debug information, lines.

use super::loaded::LoadedObject;
use super::process::{Mapping, Process};
use framehop::x86_64::{CacheX86_64, UnwindRegsX86_64, UnwinderX86_64};
use framehop::{ExplicitModuleSectionInfo, FrameAddress, Module, Unwinder};
use object::{Object, ObjectSection};
use std::collections::BTreeMap;
use std::path::Path;

/// Longer stacks are cut: runaway recursion is common where things go wrong.
const MAXIMUM_FRAMES: usize = 64;

/// The registers that a stack is unwound from.
#[derive(Clone, Copy, Debug)]
pub struct Registers {
    /// Address of the next instruction.
    pub instruction: u64,
    /// rsp.
    pub stack: u64,
    /// rbp, which some functions find their frame by.
    pub frame: u64,
}

/// One line for each frame, innermost first.
pub fn backtrace(process: &Process, registers: Registers) -> Vec<String> {
    let mut stacks = Stacks::default();
    for group in process.mappings().chunk_by(|one, next| one.path == next.path) {
        stacks.add(group, None);
    }
    let (frames, is_cut) = stacks.frames(registers, |address| process.word(address));
    let mut lines: Vec<String> =
        frames.iter().enumerate().map(|(number, frame)| frame.with_address(number)).collect();
    if is_cut {
        lines.push(format!("(more than {MAXIMUM_FRAMES} frames)"));
    }
    lines
}

/// What is needed to find the functions on the stacks of an address space.
#[derive(Default)]
pub struct Stacks {
    objects: BTreeMap<u64, LoadedObject>,
    unwinder: UnwinderX86_64<Vec<u8>>,
}

/// A function on a stack.
pub struct Frame {
    /// Where it goes on.
    pub address: u64,
    /// `function at file:line`, as far as that is known.
    pub place: Option<String>,
}

impl Frame {
    fn with_address(&self, number: usize) -> String {
        match &self.place {
            Some(place) => format!("#{number:<2} {:#018x} {place}", self.address),
            None => format!("#{number:<2} {:#018x}", self.address),
        }
    }
}

impl Stacks {
    /// Adds the file that `mappings` (all of one file) show; its content may be `instead`. Nothing is added if that is no ELF
    /// file or is not there any more.
    pub fn add(&mut self, mappings: &[Mapping], instead: Option<&Path>) {
        if let Some((object, module)) = open(mappings, instead) {
            self.unwinder.add_module(module);
            self.objects.insert(object.addresses.start, object);
        }
    }

    /// The functions on a stack, whose words `word` gives, innermost first, and whether there are more.
    pub fn frames(&self, registers: Registers, word: impl Fn(u64) -> Option<u64>) -> (Vec<Frame>, bool) {
        let mut cache = CacheX86_64::<_>::new();
        let mut read = |address| word(address).ok_or(());
        let start = UnwindRegsX86_64::new(registers.instruction, registers.stack, registers.frame);
        let mut found = self.unwinder.iter_frames(registers.instruction, start, &mut cache, &mut read);
        let mut frames = Vec::new();
        // An error means that the rest of the stack cannot be found: what was found so far still helps.
        while let Ok(Some(frame)) = found.next() {
            if frames.len() == MAXIMUM_FRAMES {
                return (frames, true);
            }
            frames.push(Frame { address: frame.address(), place: self.describe(frame) });
        }
        (frames, false)
    }

    fn describe(&self, frame: FrameAddress) -> Option<String> {
        let address = frame.address();
        let (_, object) = self.objects.range(..=address).next_back()?;
        if !object.addresses.contains(&address) {
            return None;
        }
        // The instruction before a return address is the call; the one behind may be another function's.
        let probe = frame.address_for_lookup().wrapping_sub(object.bias);
        let (function, location) = object.look_up(probe);
        let place = location.unwrap_or_else(|| object.path.display().to_string());
        Some(format!("{} at {place}", function.unwrap_or_else(|| "??".to_owned())))
    }
}

/// Reads the file that `mappings` (consecutive ones of one file) show, or that is there `instead`, and how its functions
/// are unwound; `None` if it is no ELF file or is not there any more.
fn open(mappings: &[Mapping], instead: Option<&Path>) -> Option<(LoadedObject, Module<Vec<u8>>)> {
    let object = LoadedObject::open(mappings, instead)?;
    let data = std::fs::read(instead.unwrap_or(&object.path)).ok()?;
    let file = object::File::parse(&*data).ok()?;
    let section = |name: &str| file.section_by_name(name);
    let place = |name| section(name).map(|found| found.address()..found.address() + found.size());
    let bytes = |name| section(name).and_then(|found| found.data().ok()).map(<[u8]>::to_vec);
    let sections = ExplicitModuleSectionInfo {
        base_svma: 0,
        text_svma: place(".text"),
        text: bytes(".text"),
        got_svma: place(".got"),
        eh_frame_svma: place(".eh_frame"),
        eh_frame: bytes(".eh_frame"),
        eh_frame_hdr_svma: place(".eh_frame_hdr"),
        eh_frame_hdr: bytes(".eh_frame_hdr"),
        ..Default::default()
    };
    let name = object.path.display().to_string();
    let module = Module::new(name, object.addresses.clone(), object.bias, sections);
    Some((object, module))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[inline(never)]
    fn outer_function_of_the_test() -> Vec<String> {
        let (instruction, stack, frame);
        // SAFETY: copies three registers.
        unsafe {
            std::arch::asm!(
                "lea {}, [rip]", "mov {}, rsp", "mov {}, rbp",
                out(reg) instruction, out(reg) stack, out(reg) frame,
                options(nomem, nostack, preserves_flags),
            );
        }
        let process = Process::open(std::process::id()).unwrap();
        backtrace(&process, Registers { instruction, stack, frame })
    }

    #[test]
    fn own_stack_has_the_callers_names() {
        let lines = outer_function_of_the_test();
        let position = |name: &str| lines.iter().position(|line| line.contains(name));
        assert_eq!(position("outer_function_of_the_test"), Some(0), "{lines:#?}");
        assert_eq!(position("own_stack_has_the_callers_names"), Some(1), "{lines:#?}");
        assert!(position("libc.so.6").is_some(), "the stack does not reach the thread's start: {lines:#?}");
    }

    #[test]
    fn a_wild_instruction_pointer_still_gives_a_frame() {
        let process = Process::open(std::process::id()).unwrap();
        let lines = backtrace(&process, Registers { instruction: 0x10, stack: 0x18, frame: 0 });
        assert_eq!(lines, ["#0  0x0000000000000010"]);
    }
}
