//! Real calls with poisoned memory: every byte that the kernel changes must be one that `outputs` names.

use crate::syscalls::{Memory, Region, before, lookup, outputs};

/// The byte that memory is full of before a call.
const POISON: u8 = 0xA5;
const SIZE: usize = 256 * 1024;
/// Bytes between two buffers that nobody may touch.
const GAP: usize = 64;

/// This process's memory.
pub struct Own;

impl Memory for Own {
    fn read(&self, address: u64, target: &mut [u8]) -> bool {
        let local = libc::iovec { iov_base: target.as_mut_ptr().cast(), iov_len: target.len() };
        let remote = libc::iovec { iov_base: address as *mut _, iov_len: target.len() };
        // SAFETY: the local side is `target`; the kernel checks the remote side and fails on bad addresses.
        let read = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
        read == target.len() as isize
    }
}

/// Poisoned memory, handed out in buffers with gaps between them.
pub struct Arena {
    memory: Box<[u8]>,
    used: usize,
    buffers: Vec<(u64, u64)>,
}

impl Arena {
    pub fn new() -> Arena {
        Arena { memory: vec![POISON; SIZE].into_boxed_slice(), used: GAP, buffers: Vec::new() }
    }

    /// The address of a poisoned buffer.
    pub fn space(&mut self, length: usize) -> u64 {
        let at = self.used.next_multiple_of(16);
        self.used = at + length + GAP;
        assert!(self.used <= SIZE, "the arena is full");
        let address = self.memory.as_ptr() as u64 + at as u64;
        self.buffers.push((address, length as u64));
        address
    }

    /// The address of a buffer with these bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> u64 {
        let address = self.space(bytes.len());
        let at = (address - self.memory.as_ptr() as u64) as usize;
        self.memory[at..at + bytes.len()].copy_from_slice(bytes);
        address
    }

    /// The address of a string with its NUL.
    pub fn text(&mut self, text: &str) -> u64 {
        self.bytes(&[text.as_bytes(), b"\0"].concat())
    }

    /// The address of these 64-bit words.
    pub fn words(&mut self, words: &[u64]) -> u64 {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bytes(&bytes)
    }

    /// The address of these 32-bit words.
    pub fn ints(&mut self, ints: &[i32]) -> u64 {
        let bytes: Vec<u8> = ints.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.bytes(&bytes)
    }

    /// The `i32` at `address`.
    pub fn int(&self, address: u64) -> i32 {
        let at = (address - self.memory.as_ptr() as u64) as usize;
        i32::from_le_bytes(self.memory[at..at + 4].try_into().expect("four bytes"))
    }

    /// Makes the call and holds what the kernel did to memory against what the table says. Returns the
    /// kernel's result, negative error numbers included.
    pub fn call(&mut self, number: libc::c_long, arguments: &[u64]) -> i64 {
        let row = lookup(number as u64).expect("a row");
        let mut a = [0; 6];
        a[..arguments.len()].copy_from_slice(arguments);
        let known = before(row, &a, &Own);
        let earlier = self.memory.clone();
        // SAFETY: every pointer among the arguments points into the arena, which outlives the call.
        let answer = unsafe { libc::syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]) };
        let result = match answer {
            -1 => -i64::from(std::io::Error::last_os_error().raw_os_error().expect("an error number")),
            value => value,
        };
        let mut regions: Vec<Region> = Vec::new();
        outputs(row, &a, &known, result, &Own, &mut |region| regions.push(region));

        let base = self.memory.as_ptr() as u64;
        let printed = super::printed(row, &a, Some(result), &Own);
        for region in &regions {
            let end = region.address + region.length;
            let whole = self.buffers.iter().any(|&(at, length)| region.address >= at && end <= at + length);
            assert!(whole, "{printed}: {region:?} is not within one buffer");
        }
        for (at, (old, new)) in earlier.iter().zip(&self.memory[..]).enumerate() {
            let address = base + at as u64;
            let told = regions.iter().any(|one| (one.address..one.address + one.length).contains(&address));
            assert!(
                old == new || told,
                "{printed}: the kernel wrote {address:#x}, of which nothing was said"
            );
        }
        result
    }

    /// As [`Arena::call`], for a call that must succeed.
    pub fn succeed(&mut self, number: libc::c_long, arguments: &[u64]) -> i64 {
        let result = self.call(number, arguments);
        assert!(result >= 0, "system call {number} failed: error {}", -result);
        result
    }
}
