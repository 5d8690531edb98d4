//! Registers that C functions may change, made the same in both modes: what our code leaves in them depends on the mode,
//! and they are part of the state by which stops are found.

/// Assembly that clears the vector registers as far as C knows them (their upper halves are left alone, as by all of this
/// library).
macro_rules! clear_vectors {
    () => {
        concat!(
            "pxor xmm0, xmm0\n",
            "pxor xmm1, xmm1\n",
            "pxor xmm2, xmm2\n",
            "pxor xmm3, xmm3\n",
            "pxor xmm4, xmm4\n",
            "pxor xmm5, xmm5\n",
            "pxor xmm6, xmm6\n",
            "pxor xmm7, xmm7\n",
            "pxor xmm8, xmm8\n",
            "pxor xmm9, xmm9\n",
            "pxor xmm10, xmm10\n",
            "pxor xmm11, xmm11\n",
            "pxor xmm12, xmm12\n",
            "pxor xmm13, xmm13\n",
            "pxor xmm14, xmm14\n",
            "pxor xmm15, xmm15\n",
        )
    };
}

/// Assembly that clears all registers that a function may change, but for rax, its result.
macro_rules! clear_scratch {
    () => {
        concat!(
            "xor ecx, ecx\n",
            "xor edx, edx\n",
            "xor esi, esi\n",
            "xor edi, edi\n",
            "xor r8d, r8d\n",
            "xor r9d, r9d\n",
            "xor r10d, r10d\n",
            "xor r11d, r11d\n",
            $crate::registers::clear_vectors!(),
        )
    };
}

pub(crate) use {clear_scratch, clear_vectors};
