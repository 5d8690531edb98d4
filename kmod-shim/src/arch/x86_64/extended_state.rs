//! FPU and vector state in a signal frame: an XSAVE area that says its own size.
//!
//! Layout (arch/x86/kernel/fpu/signal.c): the legacy 512 bytes with a `struct _fpx_sw_bytes` at offset 464,
//! the XSAVE header, the components, and a closing magic number.

use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, _xgetbv};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

const SOFTWARE_BYTES: usize = 464;
const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;

static FEATURES: AtomicU64 = AtomicU64::new(0);
static SIZE: AtomicU64 = AtomicU64::new(0);
/// Where the components beyond the legacy area lie: offset and size in bytes, 0 for those that there are not; and whether
/// they begin at a multiple of 64 in the compacted form.
static COMPONENTS: [[AtomicU32; 3]; 64] = [const { [const { AtomicU32::new(0) }; 3] }; 64];

/// What `cpuid` says about the area, as words that can be kept for other processes: an execution of that instruction
/// takes microseconds on a virtual machine.
pub type Description = [u64; 2 + 64];

/// The tiles of AMX, which the kernel enables and leaves out of signal frames all the same, until a process asks for them
/// (XFEATURE_MASK_USER_DYNAMIC in arch/x86/include/asm/fpu/xstate.h). Frames that it builds and those that are built here must
/// have one size: which of both a signal gets depends on whether it came in a trap, and that differs between the modes.
const TILE_DATA: u64 = 1 << 18;

/// Asks the processor, before `cpuid` is trapped.
///
/// # Safety
/// The kernel has enabled XSAVE, as every one that has Syscall User Dispatch does where the processor has it.
#[target_feature(enable = "xsave")]
pub fn ask() -> Description {
    let mut description = [0; 2 + 64];
    let [features, size, components @ ..] = &mut description;
    // SAFETY: register 0 (XCR0) exists wherever XSAVE is enabled, which the caller's contract says.
    *features = unsafe { _xgetbv(0) } & !TILE_DATA;
    *size = HEADER_END as u64;
    for (number, component) in components.iter_mut().enumerate().skip(FIRST_EXTENDED) {
        if *features >> number & 1 == 1 {
            let described = __cpuid_count(0xd, number as u32);
            let aligned = u64::from(described.ecx >> 1 & 1);
            *component = u64::from(described.ebx) << 32 | aligned << 31 | u64::from(described.eax);
            *size = (*size).max(u64::from(described.ebx) + u64::from(described.eax));
        }
    }
    description
}

/// Takes over what [`ask`] said, in this process or in another on the same machine.
pub fn adopt(description: &Description) {
    let [features, size, components @ ..] = description;
    FEATURES.store(*features, Ordering::Relaxed);
    SIZE.store(*size, Ordering::Relaxed);
    for ([offset, size, aligned], component) in COMPONENTS.iter().zip(components) {
        if *component != 0 {
            offset.store((component >> 32) as u32, Ordering::Relaxed);
            size.store(*component as u32 & !(1 << 31), Ordering::Relaxed);
            aligned.store(*component as u32 >> 31, Ordering::Relaxed);
        }
    }
}

/// The components that programs do not know of, although the kernel has enabled them.
static UNKNOWN: AtomicU64 = AtomicU64::new(0);
/// Programs may not know of all; here, or where the processor has more.
static IS_NARROWED: AtomicBool = AtomicBool::new(false);

/// Leaf of `cpuid` that tells of the area.
pub const LEAF: u32 = 0xd;

/// From now on areas have the components in `known` only, as on a processor that has no others.
pub fn narrow(known: u64) {
    let features = FEATURES.load(Ordering::Relaxed);
    UNKNOWN.fetch_or(features & !known, Ordering::Relaxed);
    IS_NARROWED.store(true, Ordering::Relaxed);
    FEATURES.store(features & known, Ordering::Relaxed);
    let ends = (FIRST_EXTENDED..COMPONENTS.len()).filter_map(component);
    let size = ends.fold(HEADER_END, |end, Component { offset, size }| end.max(offset + size));
    SIZE.store(size as u64, Ordering::Relaxed);
}

/// Makes an answer of `cpuid` to [`LEAF`] tell of areas that were narrowed, or, if there is no `xsave` for programs, of none.
pub fn describe_narrowed(sub_leaf: u32, is_hidden: bool, answer: &mut [u32; 4]) {
    let features = features();
    let size = SIZE.load(Ordering::Relaxed) as u32;
    match sub_leaf {
        _ if is_hidden => *answer = [0; 4],
        0 => *answer = [features as u32, size, size, (features >> 32) as u32],
        // What the kernel saves beside is not the program's to see.
        1 => *answer = [answer[0], compacted_size(features) as u32, 0, 0],
        2..64 if features >> sub_leaf & 1 == 1 => {}
        _ => *answer = [0; 4],
    }
}

/// The components that the kernel has enabled.
pub fn features() -> u64 {
    FEATURES.load(Ordering::Relaxed)
}

/// Where a component lies in the standard form, in bytes.
pub struct Component {
    /// From the area's begin.
    pub offset: usize,
    /// How much it takes.
    pub size: usize,
}

/// The component with that number, if it is beyond the legacy area and enabled.
pub fn component(number: usize) -> Option<Component> {
    place(number).filter(|_| features() >> number & 1 == 1)
}

/// Where the kernel puts a component, whether programs know of it or not.
fn place(number: usize) -> Option<Component> {
    let [offset, size, _] = COMPONENTS[number].each_ref().map(|word| word.load(Ordering::Relaxed) as usize);
    (size != 0).then_some(Component { offset, size })
}

/// Bytes that `xsavec` writes for the components in `mask`, at most. (Intel SDM volume 1, 13.4.3.)
pub fn compacted_size(mask: u64) -> usize {
    const UNIT: usize = 64;
    let saved = mask & features();
    let components = COMPONENTS.iter().enumerate().skip(FIRST_EXTENDED);
    components.filter(|(number, _)| saved >> number & 1 == 1).fold(HEADER_END, |end, (_, component)| {
        let [_, size, aligned] = component.each_ref().map(|word| word.load(Ordering::Relaxed) as usize);
        (if aligned != 0 { end.next_multiple_of(UNIT) } else { end }) + size
    })
}

/// Bytes of the area, closing magic number included.
pub fn size() -> usize {
    SIZE.load(Ordering::Relaxed) as usize + 4
}

/// Saves the current state to `area`, as the kernel would for a signal frame.
///
/// # Safety
/// `area` is 64-byte aligned and has [`size`] writable bytes.
pub unsafe fn save(area: *mut u8) {
    let features = FEATURES.load(Ordering::Relaxed);
    let length = SIZE.load(Ordering::Relaxed) as usize;
    // SAFETY: xsave writes at most `length` bytes (CPUID leaf 0xd, sub-leaf 0) at an aligned address; the
    // header must be zero before, as it merges into XSTATE_BV.
    unsafe {
        core::ptr::write_bytes(area, 0, size());
        asm!("xsave64 [{}]", in(reg) area, in("eax") features as u32, in("edx") (features >> 32) as u32,
             options(nostack, preserves_flags));
        write_size(area, length, features);
    }
}

/// Size of an area found in a frame, 0 if it is only the legacy 512 bytes' worth.
///
/// # Safety
/// 512 bytes at `area` are readable.
pub unsafe fn size_of_area(area: *const u8) -> usize {
    // SAFETY: within the 512 bytes.
    unsafe {
        let software = area.add(SOFTWARE_BYTES);
        if software.cast::<u32>().read_unaligned() != MAGIC1 {
            return 512;
        }
        software.add(4).cast::<u32>().read_unaligned() as usize
    }
}

/// Where the header is.
const HEADER: usize = 512;
/// Where it ends.
const HEADER_END: usize = 576;
/// The first component that is not in the legacy area.
const FIRST_EXTENDED: usize = 2;

/// Bytes that an area found in a frame has when [`copy`] has taken those components out that programs do not know of.
///
/// # Safety
/// As for [`size_of_area`].
pub unsafe fn narrowed_size_of_area(area: *const u8) -> usize {
    // SAFETY: as the contract says.
    let found = unsafe { size_of_area(area) };
    if IS_NARROWED.load(Ordering::Relaxed) { found.min(size()) } else { found }
}

/// The highest address at which an area can begin. Whatever an area says of its size, the kernel takes it for a bad one, when a
/// handler returns, if the largest that this processor has would not end below the end of user space (`access_ok` in
/// `fpu__restore_sig`): of areas that were narrowed that matters on the stack of a program with a small environment.
pub fn highest_place() -> u64 {
    const END: u64 = 0x7fff_ffff_f000;
    /// More than any processor needs, so that areas are at the same addresses on all.
    const LARGEST: u64 = 4096;
    if IS_NARROWED.load(Ordering::Relaxed) { END - LARGEST } else { u64::MAX }
}

/// Copies an area to another of [`narrowed_size_of_area`] bytes, as which it is complete. Whether that lost something of
/// vector registers.
///
/// # Safety
/// `from` is a complete area, and there is room at `to`.
pub unsafe fn copy(from: *const u8, to: *mut u8) -> bool {
    // SAFETY: the copy is no larger than what is there; if it is smaller, it has a header and at least the closing magic
    // number behind, and components have the same places in both.
    unsafe {
        let length = narrowed_size_of_area(from);
        core::ptr::copy_nonoverlapping(from, to, length);
        let is_narrowed = length < size_of_area(from);
        if is_narrowed {
            let features = features();
            let present = to.add(HEADER).cast::<u64>();
            present.write_unaligned(present.read_unaligned() & features);
            write_size(to, length - 4, features);
        }
        is_narrowed && unknown_are_used_in(from)
    }
}

/// Writes how large an area is, and which components it has, as the kernel does.
///
/// # Safety
/// There are `length` + 4 writable bytes at `area`.
unsafe fn write_size(area: *mut u8, length: usize, features: u64) {
    // SAFETY: in the legacy area, and behind the last component.
    unsafe {
        let software = area.add(SOFTWARE_BYTES);
        software.cast::<u32>().write_unaligned(MAGIC1);
        software.add(4).cast::<u32>().write_unaligned(length as u32 + 4);
        software.add(8).cast::<u64>().write_unaligned(features);
        software.add(16).cast::<u32>().write_unaligned(length as u32);
        area.add(length).cast::<u32>().write_unaligned(MAGIC2);
    }
}

/// The vector registers that programs do not know of: components with upper halves, masks, and registers 16 to 31.
fn unknown_vectors() -> u64 {
    const VECTORS: u64 = 0b1110_0100;
    UNKNOWN.load(Ordering::Relaxed) & VECTORS
}

/// Whether there is something now in vector registers that programs do not know of.
pub fn unknown_are_used() -> bool {
    const LARGEST: usize = 4096;
    #[repr(C, align(64))]
    struct Area([u8; LARGEST]);
    let unknown = unknown_vectors();
    if unknown == 0 {
        return false;
    }
    let mut area = Area([0; LARGEST]);
    let place = area.0.as_mut_ptr();
    // SAFETY: the area is aligned, and the last of these components ends before it does, on all processors that there are
    // (2432 bytes at most); others are not written.
    unsafe {
        asm!("xsave64 [{}]", in(reg) place, in("eax") unknown as u32, in("edx") 0, options(nostack, preserves_flags));
        unknown_are_used_in(place)
    }
}

/// Whether an area from the kernel has something in vector registers that programs do not know of.
///
/// # Safety
/// It is as large as the processor makes areas of these components.
pub unsafe fn unknown_are_used_in(area: *const u8) -> bool {
    let unknown = unknown_vectors();
    // SAFETY: the caller's area has a header.
    let present = unsafe { area.add(HEADER).cast::<u64>().read_unaligned() };
    (FIRST_EXTENDED..COMPONENTS.len())
        .filter(|number| present & unknown & 1 << number != 0)
        .filter_map(place)
        .any(|Component { offset, size }| {
            // SAFETY: the component is within the area.
            let bytes = unsafe { core::slice::from_raw_parts(area.add(offset), size) };
            bytes.iter().any(|byte| *byte != 0)
        })
}

/// Gives the state in a frame's area the one form that it has in every run.
///
/// The processor may or may not track that a component has its initial value, and then saves nothing; the
/// addresses of the last x87 instruction are of no use to a program and differ between kernels' ways of saving
/// them; and unused bytes are what was there before. Loading the area afterwards gives the same state, those
/// addresses (which become 0) excepted.
///
/// # Safety
/// `area` is a complete area as the kernel or [`save`] makes it, of [`size_of_area`] bytes, and writable.
pub unsafe fn canonicalise(area: *mut u8) {
    const X87: u64 = 1;
    const SSE: u64 = 2;
    const CONTROL: usize = 0;
    const LAST_INSTRUCTION: core::ops::Range<usize> = 6..24;
    const X87_REGISTERS: core::ops::Range<usize> = 32..160;
    const VECTORS: core::ops::Range<usize> = 160..416;
    const UNUSED: core::ops::Range<usize> = 416..464;
    const INITIAL_CONTROL: u16 = 0x37f;
    // SAFETY: (of all calls) the ranges are in the legacy area, the header, or a component that fits the area.
    let clear = |range: core::ops::Range<usize>| unsafe {
        core::ptr::write_bytes(area.add(range.start), 0, range.end - range.start);
    };
    // SAFETY: 512 bytes are there.
    let size = unsafe { size_of_area(area) };
    clear(LAST_INSTRUCTION);
    clear(UNUSED);
    if size < HEADER_END {
        return;
    }
    // SAFETY: the header is within the area.
    let present = unsafe { area.add(HEADER).cast::<u64>().read_unaligned() };
    if present & X87 == 0 {
        clear(CONTROL..LAST_INSTRUCTION.end);
        clear(X87_REGISTERS);
        // SAFETY: the first two bytes of the area.
        unsafe { area.add(CONTROL).cast::<u16>().write_unaligned(INITIAL_CONTROL) };
    }
    if present & SSE == 0 {
        clear(VECTORS);
    }
    let mut canonical = X87 | SSE;
    let mut used = HEADER_END;
    for number in FIRST_EXTENDED..COMPONENTS.len() {
        let Some(Component { offset: begin, size: length }) = component(number) else { continue };
        let end = begin + length;
        if begin < used || end + 4 > size {
            continue;
        }
        // Between components lie bytes that nobody writes.
        clear(used..begin);
        used = end;
        if present >> number & 1 == 0 {
            clear(begin..end);
            continue;
        }
        // SAFETY: the component is within the area.
        let bytes = unsafe { core::slice::from_raw_parts(area.add(begin), end - begin) };
        if bytes.iter().any(|byte| *byte != 0) {
            canonical |= 1 << number;
        }
    }
    clear(HEADER..HEADER_END);
    // SAFETY: the header is within the area.
    unsafe { area.add(HEADER).cast::<u64>().write_unaligned(canonical) };
}

/// Loads xmm0 to xmm15.
///
/// # Safety
/// The caller's compiler-visible vector registers are dead, as after a call.
#[inline]
pub unsafe fn load_vectors(vectors: &[u128; 16]) {
    // SAFETY: reads 256 valid bytes; all written registers are declared.
    unsafe {
        asm!(
            "movups xmm0, [{0}]", "movups xmm1, [{0} + 16]", "movups xmm2, [{0} + 32]",
            "movups xmm3, [{0} + 48]", "movups xmm4, [{0} + 64]", "movups xmm5, [{0} + 80]",
            "movups xmm6, [{0} + 96]", "movups xmm7, [{0} + 112]", "movups xmm8, [{0} + 128]",
            "movups xmm9, [{0} + 144]", "movups xmm10, [{0} + 160]", "movups xmm11, [{0} + 176]",
            "movups xmm12, [{0} + 192]", "movups xmm13, [{0} + 208]", "movups xmm14, [{0} + 224]",
            "movups xmm15, [{0} + 240]",
            in(reg) vectors.as_ptr(),
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
            out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nostack, readonly, preserves_flags)
        );
    }
}

/// Saves the state of a program that is in the hook: its xmm registers from `vectors`, all else as it is in
/// the processor.
///
/// # Safety
/// As for [`save`].
pub unsafe fn save_with_vectors(area: *mut u8, vectors: &[u128; 16]) {
    // The xmm registers live at offset 160 of the legacy area.
    const VECTORS: usize = 160;
    const SSE: u64 = 1 << 1;
    // SAFETY: the caller gives a complete area. The components' presence bits are at offset 512; marking SSE
    // present makes the copied registers count even if they had their initial values when saved.
    unsafe {
        save(area);
        core::ptr::copy_nonoverlapping(vectors.as_ptr().cast::<u8>(), area.add(VECTORS), 256);
        let present = area.add(512).cast::<u64>();
        present.write_unaligned(present.read_unaligned() | SSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    static FROM_KERNEL: AtomicUsize = AtomicUsize::new(0);

    extern "C" fn handle(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the kernel's context, whose pointer leads to a complete area.
        let size = unsafe { size_of_area((*context.cast::<libc::ucontext_t>()).uc_mcontext.fpregs.cast()) };
        FROM_KERNEL.store(size, Ordering::SeqCst);
    }

    #[test]
    fn frames_have_the_kernels_size() {
        // SAFETY: XSAVE is enabled; the handler does nothing that a handler must not, and no other test uses the signal.
        unsafe {
            adopt(&ask());
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGURG, &raw const action, core::ptr::null_mut()), 0);
            assert_eq!(libc::raise(libc::SIGURG), 0);
        }
        assert_eq!(size(), FROM_KERNEL.load(Ordering::SeqCst));
    }
}
