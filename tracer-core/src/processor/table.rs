//! The instructions that not every x86-64 processor has, by the names that /proc/cpuinfo has for them.
//!
//! From the Intel SDM (volume 2, CPUID), AMD's APM (volume 3, appendix E) and the kernel's cpufeatures.h; levels from the
//! x86-64 psABI (section "Processor-Specific ABI", micro-architecture levels).

use super::Feature;
use super::Level::{V2, V3, V4};
use super::Register::{Eax, Ebx, Ecx, Edx};

/// A feature of no level, which needs no other.
const fn feature(name: &'static str, leaf: [u32; 2], register: super::Register, bit: u32) -> Feature {
    Feature { name, leaf, register, bits: 1 << bit, level: None, needs: &[], other_name: "", glibc: &[] }
}

const BASIC: [u32; 2] = [1, 0];
const STRUCTURED: [u32; 2] = [7, 0];
const MORE: [u32; 2] = [7, 1];
const STATE: [u32; 2] = [0xd, 1];
const EXTENDED: [u32; 2] = [0x8000_0001, 0];
const ADDRESSES: [u32; 2] = [0x8000_0008, 0];

/// All that can be hidden. What has a name here is named by its place in sets, so the order matters to traces only as far as
/// one build makes and replays them.
pub const FEATURES: &[Feature] = &[
    // Level 2.
    Feature { level: Some(V2), other_name: "sse3", glibc: &["SSE3"], ..feature("pni", BASIC, Ecx, 0) },
    Feature { level: Some(V2), needs: &["pni"], glibc: &["SSSE3"], ..feature("ssse3", BASIC, Ecx, 9) },
    Feature { level: Some(V2), other_name: "cmpxchg16b", ..feature("cx16", BASIC, Ecx, 13) },
    Feature {
        level: Some(V2),
        needs: &["ssse3"],
        other_name: "sse4.1",
        glibc: &["SSE4_1"],
        ..feature("sse4_1", BASIC, Ecx, 19)
    },
    Feature {
        level: Some(V2),
        needs: &["sse4_1"],
        other_name: "sse4.2",
        glibc: &["SSE4_2"],
        ..feature("sse4_2", BASIC, Ecx, 20)
    },
    Feature { level: Some(V2), glibc: &["POPCNT"], ..feature("popcnt", BASIC, Ecx, 23) },
    Feature { level: Some(V2), ..feature("lahf_lm", EXTENDED, Ecx, 0) },
    // Level 3.
    Feature { level: Some(V3), needs: &["avx"], glibc: &["FMA"], ..feature("fma", BASIC, Ecx, 12) },
    Feature { level: Some(V3), glibc: &["MOVBE"], ..feature("movbe", BASIC, Ecx, 22) },
    Feature {
        level: Some(V3),
        // With OSXSAVE, by which programs know that they may execute `xgetbv`.
        bits: 3 << 26,
        glibc: &["XSAVE", "OSXSAVE", "XSAVEC"],
        ..feature("xsave", BASIC, Ecx, 26)
    },
    Feature {
        level: Some(V3),
        needs: &["xsave", "sse4_2"],
        glibc: &["AVX"],
        ..feature("avx", BASIC, Ecx, 28)
    },
    Feature { level: Some(V3), needs: &["avx"], ..feature("f16c", BASIC, Ecx, 29) },
    Feature { level: Some(V3), glibc: &["BMI1"], ..feature("bmi1", STRUCTURED, Ebx, 3) },
    Feature { level: Some(V3), needs: &["avx"], glibc: &["AVX2"], ..feature("avx2", STRUCTURED, Ebx, 5) },
    Feature { level: Some(V3), glibc: &["BMI2"], ..feature("bmi2", STRUCTURED, Ebx, 8) },
    Feature { level: Some(V3), other_name: "lzcnt", glibc: &["LZCNT"], ..feature("abm", EXTENDED, Ecx, 5) },
    // Level 4.
    Feature {
        level: Some(V4),
        needs: &["avx2", "fma", "f16c"],
        // What ld.so puts on the stack, when it binds a function, is as large as the registers of the processor that it is
        // on, unless it saves only those that all have.
        glibc: &["AVX512F", "XSAVE", "OSXSAVE", "XSAVEC"],
        ..feature("avx512f", STRUCTURED, Ebx, 16)
    },
    Feature { level: Some(V4), glibc: &["AVX512DQ"], ..avx512("avx512dq", STRUCTURED, Ebx, 17) },
    Feature { level: Some(V4), glibc: &["AVX512CD"], ..avx512("avx512cd", STRUCTURED, Ebx, 28) },
    Feature { level: Some(V4), glibc: &["AVX512BW"], ..avx512("avx512bw", STRUCTURED, Ebx, 30) },
    Feature { level: Some(V4), glibc: &["AVX512VL"], ..avx512("avx512vl", STRUCTURED, Ebx, 31) },
    // Beyond all levels: with 512 bits.
    avx512("avx512ifma", STRUCTURED, Ebx, 21),
    Feature { glibc: &["AVX512PF"], ..avx512("avx512pf", STRUCTURED, Ebx, 26) },
    Feature { glibc: &["AVX512ER"], ..avx512("avx512er", STRUCTURED, Ebx, 27) },
    avx512("avx512vbmi", STRUCTURED, Ecx, 1),
    avx512("avx512_vbmi2", STRUCTURED, Ecx, 6),
    avx512("avx512_vnni", STRUCTURED, Ecx, 11),
    avx512("avx512_bitalg", STRUCTURED, Ecx, 12),
    avx512("avx512_vpopcntdq", STRUCTURED, Ecx, 14),
    avx512("avx512_4vnniw", STRUCTURED, Edx, 2),
    avx512("avx512_4fmaps", STRUCTURED, Edx, 3),
    avx512("avx512_vp2intersect", STRUCTURED, Edx, 8),
    avx512("avx512_fp16", STRUCTURED, Edx, 23),
    avx512("avx512_bf16", MORE, Eax, 5),
    avx512("avx10", MORE, Edx, 19),
    // With 256 bits.
    Feature { needs: &["avx", "aes"], ..feature("vaes", STRUCTURED, Ecx, 9) },
    Feature { needs: &["avx", "pclmulqdq"], ..feature("vpclmulqdq", STRUCTURED, Ecx, 10) },
    Feature { needs: &["avx2"], ..feature("sha512", MORE, Eax, 0) },
    Feature { needs: &["avx2"], ..feature("sm3", MORE, Eax, 1) },
    Feature { needs: &["avx2"], ..feature("sm4", MORE, Eax, 2) },
    Feature { needs: &["avx2"], ..feature("avx_vnni", MORE, Eax, 4) },
    Feature { needs: &["avx2"], ..feature("avx_ifma", MORE, Eax, 23) },
    Feature { needs: &["avx2"], ..feature("avx_vnni_int8", MORE, Edx, 4) },
    Feature { needs: &["avx2"], ..feature("avx_ne_convert", MORE, Edx, 5) },
    Feature { needs: &["avx2"], ..feature("avx_vnni_int16", MORE, Edx, 10) },
    Feature { needs: &["avx"], ..feature("xop", EXTENDED, Ecx, 11) },
    Feature { needs: &["avx"], glibc: &["FMA4"], ..feature("fma4", EXTENDED, Ecx, 16) },
    // Tiles.
    Feature { needs: &["xsave"], ..feature("amx_tile", STRUCTURED, Edx, 24) },
    Feature { needs: &["amx_tile"], ..feature("amx_bf16", STRUCTURED, Edx, 22) },
    Feature { needs: &["amx_tile"], ..feature("amx_int8", STRUCTURED, Edx, 25) },
    Feature { needs: &["amx_tile"], ..feature("amx_fp16", MORE, Eax, 21) },
    Feature { needs: &["amx_tile"], ..feature("amx_complex", MORE, Edx, 8) },
    // Saving of registers.
    Feature { needs: &["xsave"], ..feature("xsaveopt", STATE, Eax, 0) },
    Feature { needs: &["xsave"], ..feature("xsavec", STATE, Eax, 1) },
    Feature { needs: &["xsave"], ..feature("xgetbv1", STATE, Eax, 2) },
    Feature { needs: &["xsave"], ..feature("xsaves", STATE, Eax, 3) },
    Feature { needs: &["xsave"], ..feature("mpx", STRUCTURED, Ebx, 14) },
    // With OSPKE.
    Feature { needs: &["xsave"], bits: 3 << 3, ..feature("pku", STRUCTURED, Ecx, 3) },
    Feature { needs: &["xsave"], ..feature("apx_f", MORE, Edx, 21) },
    Feature { needs: &["xsave"], ..feature("lwp", EXTENDED, Ecx, 15) },
    // Arithmetic and ciphers.
    feature("pclmulqdq", BASIC, Ecx, 1),
    feature("aes", BASIC, Ecx, 25),
    feature("rdrand", BASIC, Ecx, 30),
    feature("rdseed", STRUCTURED, Ebx, 18),
    feature("adx", STRUCTURED, Ebx, 19),
    Feature { other_name: "sha", ..feature("sha_ni", STRUCTURED, Ebx, 29) },
    feature("gfni", STRUCTURED, Ecx, 8),
    feature("kl", STRUCTURED, Ecx, 23),
    feature("sse4a", EXTENDED, Ecx, 6),
    feature("misalignsse", EXTENDED, Ecx, 7),
    feature("tbm", EXTENDED, Ecx, 21),
    feature("mmxext", EXTENDED, Edx, 22),
    feature("3dnowext", EXTENDED, Edx, 30),
    feature("3dnow", EXTENDED, Edx, 31),
    // Moving and caches.
    Feature { glibc: &["ERMS"], ..feature("erms", STRUCTURED, Ebx, 9) },
    Feature { glibc: &["FSRM"], ..feature("fsrm", STRUCTURED, Edx, 4) },
    feature("fzrm", MORE, Eax, 10),
    feature("fsrs", MORE, Eax, 11),
    feature("fsrc", MORE, Eax, 12),
    feature("clflushopt", STRUCTURED, Ebx, 23),
    feature("clwb", STRUCTURED, Ebx, 24),
    feature("prefetchwt1", STRUCTURED, Ecx, 0),
    feature("cldemote", STRUCTURED, Ecx, 25),
    feature("movdiri", STRUCTURED, Ecx, 27),
    feature("movdir64b", STRUCTURED, Ecx, 28),
    feature("prefetchi", MORE, Edx, 14),
    feature("3dnowprefetch", EXTENDED, Ecx, 8),
    feature("clzero", ADDRESSES, Ebx, 0),
    // Threads and their state.
    feature("fsgsbase", STRUCTURED, Ebx, 0),
    feature("hle", STRUCTURED, Ebx, 4),
    Feature { glibc: &["RTM"], ..feature("rtm", STRUCTURED, Ebx, 11) },
    feature("waitpkg", STRUCTURED, Ecx, 5),
    feature("user_shstk", STRUCTURED, Ecx, 7),
    feature("rdpid", STRUCTURED, Ecx, 22),
    feature("enqcmd", STRUCTURED, Ecx, 29),
    feature("uintr", STRUCTURED, Edx, 5),
    feature("serialize", STRUCTURED, Edx, 14),
    feature("tsxldtrk", STRUCTURED, Edx, 16),
    feature("ibt", STRUCTURED, Edx, 20),
    feature("raoint", MORE, Eax, 3),
    feature("cmpccxadd", MORE, Eax, 7),
    feature("mwaitx", EXTENDED, Ecx, 29),
    feature("rdtscp", EXTENDED, Edx, 27),
    feature("rdpru", ADDRESSES, Ebx, 4),
];

/// A feature that needs AVX-512's registers.
const fn avx512(name: &'static str, leaf: [u32; 2], register: super::Register, bit: u32) -> Feature {
    Feature { needs: &["avx512f"], ..feature(name, leaf, register, bit) }
}
