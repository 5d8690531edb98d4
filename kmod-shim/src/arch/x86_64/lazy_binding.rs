//! What ld.so leaves on the stack when it binds a function that is called for the first time.
//!
//! It saves the vector registers meanwhile, which may hold arguments, with `xsavec` (glibc 2.36,
//! `_dl_runtime_resolve_xsavec` in sysdeps/x86_64/dl-trampoline.h). The processor writes only the components that it
//! considers in use, and says which in a header. That differs from run to run: after `vzeroupper`, say, it depends on
//! whether the thread was interrupted (Intel SDM volume 1, 13.6, "XINUSE"). So what lies below the stack pointer later
//! is no function of the program's state, and programs do have uninitialised variables there.
//!
//! The instruction is made a call of a function of ours, which does the same and then calls all components used, those
//! that are not being zeros. It does not for the upper halves of vector registers where they are zeros: `xrstor` would
//! load those zeros, and leave the processor to keep them through each SSE instruction, which the program may not end
//! before its own end (25 ns for some of sqlite's stores on Sapphire Rapids, a tenth of its time).

use super::extended_state;
use crate::patch::unpredictable::next_pair;
use core::arch::global_asm;
use core::mem::offset_of;

/// `xsavec [rsp + disp8]` and `xsave [rsp + disp8]`, without their last byte. As long as a call.
const COMPACTED: [u8; 4] = [0x0f, 0xc7, 0x64, 0x24];
const STANDARD: [u8; 4] = [0x0f, 0xae, 0x64, 0x24];
/// Bytes of the instruction.
pub const LENGTH: usize = 5;
/// How far before it `mov eax, mask; xor edx, edx` is looked for.
const REACH: usize = 96;

/// What the functions need to know. Written once, before the program runs.
#[repr(C)]
struct Parameters {
    /// Where the area is: the instruction's displacement.
    displacement: u64,
    /// Bytes in front that are cleared, in units of eight.
    words: u64,
    /// Components that the kernel has enabled.
    features: u64,
    /// The components that are upper halves of vector registers.
    halves: [Half; UPPER_HALVES.len()],
}

/// A component that counts as used only if it is not zeros.
#[repr(C)]
#[derive(Clone, Copy)]
struct Half {
    /// Where it is in the area in either form.
    compacted: u64,
    standard: u64,
    /// Its size in units of eight bytes; 0 if there is none.
    words: u64,
    /// All bits but its own.
    others: u64,
}

/// Of ymm0 to ymm15, and of zmm0 to zmm15.
const UPPER_HALVES: [usize; 2] = [2, 6];

static mut PARAMETERS: Parameters = Parameters {
    displacement: 0,
    words: 0,
    features: 0,
    halves: [Half { compacted: 0, standard: 0, words: 0, others: 0 }; UPPER_HALVES.len()],
};

// eax is the mask of components, edx is 0, and the header is cleared, as for the instruction. Nothing but flags is
// changed, edx meanwhile. The caller's stack pointer is 32 above after three pushes. `repe scasq` of no words at all
// leaves the flags of the instruction before.
global_asm!(
    ".pushsection .text.imitate_lazy_binding, \"ax\", @progbits",
    ".macro imitate_clear_if_zeros half, form",
    "mov rdi, [rip + {parameters} + {displacement}]",
    "lea rdi, [rsp + rdi + 32]",
    "add rdi, [rip + {parameters} + \\half + \\form]",
    "mov rcx, [rip + {parameters} + \\half + {half_words}]",
    "xor eax, eax",
    "repe scasq",
    "jne 2f",
    "and edx, [rip + {parameters} + \\half + {others}]",
    "2:",
    ".endm",
    ".macro imitate_save_vectors name, instruction, form",
    ".hidden \\name",
    ".globl \\name",
    "\\name:",
    "push rdi",
    "push rcx",
    "push rax",
    "mov rdi, [rip + {parameters} + {displacement}]",
    "lea rdi, [rsp + rdi + 32]",
    "mov rcx, [rip + {parameters} + {words}]",
    "xor eax, eax",
    "rep stosq",
    "mov rdi, [rip + {parameters} + {displacement}]",
    "lea rdi, [rsp + rdi + 32]",
    "mov eax, [rsp]",
    "\\instruction [rdi]",
    // Where the component is not in use, the control register was not written; its mask is not loaded.
    "stmxcsr [rdi + 24]",
    "mov dword ptr [rdi + 28], 0",
    "mov edx, [rip + {parameters} + {features}]",
    "and edx, eax",
    "imitate_clear_if_zeros {first_half}, \\form",
    "imitate_clear_if_zeros {second_half}, \\form",
    "mov rdi, [rip + {parameters} + {displacement}]",
    "mov [rsp + rdi + 32 + 512], edx",
    "xor edx, edx",
    "pop rax",
    "pop rcx",
    "pop rdi",
    "ret",
    ".endm",
    "imitate_save_vectors imitate_save_compacted, xsavec, {compacted}",
    "imitate_save_vectors imitate_save_standard, xsave, {standard}",
    ".purgem imitate_save_vectors",
    ".purgem imitate_clear_if_zeros",
    ".popsection",
    parameters = sym PARAMETERS,
    displacement = const offset_of!(Parameters, displacement),
    words = const offset_of!(Parameters, words),
    features = const offset_of!(Parameters, features),
    first_half = const offset_of!(Parameters, halves),
    second_half = const offset_of!(Parameters, halves) + size_of::<Half>(),
    compacted = const offset_of!(Half, compacted),
    standard = const offset_of!(Half, standard),
    half_words = const offset_of!(Half, words),
    others = const offset_of!(Half, others),
);

unsafe extern "C" {
    fn imitate_save_compacted();
    fn imitate_save_standard();
}

/// An instruction that saves vector registers on the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Where it begins.
    pub address: u64,
    /// Where the area is, from the stack pointer on.
    pub displacement: u8,
    /// The components.
    pub mask: u32,
    /// `xsavec`, and not `xsave`.
    pub compacted: bool,
}

/// Finds the instructions in ld.so's code, which lies at `address`.
pub fn sites(code: &[u8], address: u64) -> impl Iterator<Item = Site> {
    let mut from = 0;
    core::iter::from_fn(move || {
        loop {
            let at = next_pair(code, from, COMPACTED[0], [COMPACTED[1], STANDARD[1], STANDARD[1]])?;
            from = at + 1;
            let Some((instruction, [displacement, ..])) = code[at..].split_first_chunk() else { continue };
            if *instruction != COMPACTED && *instruction != STANDARD {
                continue;
            }
            let Some(mask) = mask_before(&code[at.saturating_sub(REACH)..at]) else { continue };
            return Some(Site {
                address: address + at as u64,
                displacement: *displacement,
                mask,
                compacted: *instruction == COMPACTED,
            });
        }
    })
}

/// The mask that the code sets last.
fn mask_before(code: &[u8]) -> Option<u32> {
    code.windows(7).rev().find_map(|bytes| match bytes {
        [0xb8, a, b, c, d, 0x31, 0xd2] => Some(u32::from_le_bytes([*a, *b, *c, *d])),
        _ => None,
    })
}

/// The call that takes the place of the first site of a kind; the other ones must have the same area. `None` if one does
/// not, or is too far away.
///
/// # Safety
/// No site has been changed yet, and there is one thread.
pub unsafe fn prepare(sites: &[Site]) -> Option<impl Iterator<Item = [u8; LENGTH]>> {
    let first = sites.first()?;
    let same = |site: &Site| (site.displacement, site.mask) == (first.displacement, first.mask);
    let is_near = |site: &Site| distance(site).is_some();
    // A displacement of one byte has a sign.
    if !sites.iter().all(|site| same(site) && is_near(site)) || first.displacement > i8::MAX as u8 {
        return None;
    }
    let features = extended_state::features();
    let parameters = Parameters {
        displacement: u64::from(first.displacement),
        words: extended_state::compacted_size(u64::from(first.mask)) as u64 / 8,
        features,
        halves: UPPER_HALVES.map(|number| half(number, u64::from(first.mask))),
    };
    // SAFETY: nobody reads it before a site is changed.
    unsafe { (&raw mut PARAMETERS).write(parameters) };
    Some(sites.iter().filter_map(distance).map(|distance| {
        let [a, b, c, d] = distance.to_le_bytes();
        [0xe8, a, b, c, d]
    }))
}

/// Component `number` of an area for the components in `mask`.
fn half(number: usize, mask: u64) -> Half {
    let bit = 1 << number;
    let component = extended_state::component(number).filter(|_| mask & bit != 0);
    let Some(extended_state::Component { offset, size }) = component else {
        return Half { compacted: 0, standard: 0, words: 0, others: !0 };
    };
    let end = extended_state::compacted_size(mask & (bit | (bit - 1)));
    Half { compacted: (end - size) as u64, standard: offset as u64, words: size as u64 / 8, others: !bit }
}

/// The displacement of a call at the site.
fn distance(site: &Site) -> Option<i32> {
    let target = if site.compacted { imitate_save_compacted } else { imitate_save_standard };
    let target = target as *const () as u64;
    i32::try_from(target.wrapping_sub(site.address + LENGTH as u64) as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::arch::asm;

    /// What glibc saves: SSE, AVX, MPX and AVX-512.
    const MASK: u32 = 0xee;
    const DISPLACEMENT: u8 = 0x40;

    #[repr(C, align(64))]
    struct Stack([u8; 16 << 10]);

    /// Where the area begins in a stack.
    const AREA: usize = 4096;

    fn prepared() {
        let address = imitate_save_compacted as *const () as u64;
        let site = Site { address, displacement: DISPLACEMENT, mask: MASK, compacted: true };
        // SAFETY: the tests change no site, and all write the same parameters; the processor has AVX, or glibc would
        // not use the instruction.
        unsafe {
            extended_state::adopt(&extended_state::ask());
            assert_eq!(prepare(&[site]).map(|calls| calls.count()), Some(1));
        }
    }

    /// Saves what `pattern` is in ymm1, after the components' state was left as `in_use` or not.
    fn saved(pattern: u64, in_use: bool) -> Box<Stack> {
        let mut stack = Box::new(Stack([0xaa; 16 << 10]));
        // ld.so clears the header.
        stack.0[AREA + 512..AREA + 576].fill(0);
        let pointer = stack.0[AREA - usize::from(DISPLACEMENT)..].as_mut_ptr();
        // SAFETY: the function uses the stack from a little below the pointer to the end of the area, all of which is the
        // buffer's. Vector registers are declared.
        unsafe {
            asm!(
                "vzeroall",
                "test {in_use}, {in_use}",
                "jz 2f",
                "vpcmpeqd ymm0, ymm0, ymm0",
                "vpxor ymm0, ymm0, ymm0",
                "2:",
                "test {pattern}, {pattern}",
                "jz 3f",
                "vmovq xmm1, {pattern}",
                "vpermq ymm1, ymm1, 0",
                "3:",
                "mov {kept}, rsp",
                "mov rsp, {pointer}",
                "call {save}",
                "mov rsp, {kept}",
                in_use = in(reg) u64::from(in_use),
                pattern = in(reg) pattern,
                pointer = in(reg) pointer,
                kept = out(reg) _,
                save = sym imitate_save_compacted,
                inout("eax") MASK => _, inout("edx") 0 => _,
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _,
                out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
            );
        }
        stack
    }

    #[test]
    fn what_is_saved_does_not_depend_on_what_the_processor_considers_in_use() {
        prepared();
        let end = AREA + extended_state::compacted_size(u64::from(MASK));
        for pattern in [0, 0x1234_5678_9abc_def0] {
            let [unused, used] = [false, true].map(|in_use| saved(pattern, in_use));
            assert!(unused.0[AREA..] == used.0[AREA..]);
            assert!(unused.0[end..].iter().all(|byte| *byte == 0xaa), "written behind the area");
        }
    }

    #[test]
    fn upper_halves_are_restored_only_if_they_are_not_zeros() {
        prepared();
        let [zeros, pattern] = [0, 1].map(|pattern| saved(pattern, true).0[AREA + 512] & 1 << 2);
        assert_eq!((zeros, pattern), (0, 1 << 2));
    }

    #[test]
    fn what_was_saved_can_be_restored() {
        prepared();
        let pattern = 0x0fed_cba9_8765_4321_u64;
        let stack = saved(pattern, false);
        let (mut restored, mut control) = ([0u64; 4], 0u32);
        // SAFETY: the area is complete; vector registers are declared, and the control register is as it was.
        unsafe {
            asm!(
                "xrstor [{area}]",
                "vmovdqu [{restored}], ymm1",
                "stmxcsr [{control}]",
                "vzeroupper",
                area = in(reg) stack.0[AREA..].as_ptr(),
                restored = in(reg) restored.as_mut_ptr(),
                control = in(reg) &raw mut control,
                in("eax") MASK, in("edx") 0,
                out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _,
                out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _, out("ymm11") _,
                out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
            );
        }
        assert_eq!((restored, control), ([pattern; 4], 0x1f80));
    }

    #[test]
    fn instructions_are_found_with_their_masks() {
        let set_mask = [0xb8, 0xee, 0, 0, 0, 0x31, 0xd2];
        let mut code = vec![0x90; 64];
        code.extend(set_mask);
        code.extend([0x48, 0x89, 0x94, 0x24, 0x50, 0x02, 0, 0]);
        let place = code.len() as u64;
        code.extend([0x0f, 0xc7, 0x64, 0x24, 0x40]);
        code.extend([0x0f, 0xae, 0x6c, 0x24, 0x40]);
        // No mask in reach.
        code.extend([0x90; 2 * REACH]);
        code.extend([0x0f, 0xae, 0x64, 0x24, 0x40]);
        let found: Vec<Site> = sites(&code, 0x1000).collect();
        let expected = Site { address: 0x1000 + place, displacement: 0x40, mask: 0xee, compacted: true };
        assert_eq!(found, [expected]);
    }
}
