//! The functions in the vDSO: a small ELF shared object that the kernel maps into every process (vdso(7)).

use core::ffi::CStr;

/// Offsets and sizes of the 64-bit ELF structures (elf(5)).
const PROGRAM_HEADER_TABLE: u64 = 32;
const PROGRAM_HEADER_COUNT: u64 = 56;
const PROGRAM_HEADER: u64 = 56;
const SYMBOL: u64 = 24;
const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const DT_NULL: u64 = 0;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_HASH: u64 = 4;
const DT_GNU_HASH: u64 = 0x6fff_fef5;
const DT_VERSYM: u64 = 0x6fff_fff0;
/// In an entry of the version table: the symbol is an old version of another one.
const HIDDEN: u16 = 0x8000;

/// The symbol table of a loaded vDSO, or of another shared object.
pub struct Functions {
    bias: u64,
    symbols: u64,
    strings: u64,
    versions: u64,
    /// The GNU hash table, or 0.
    hashes: u64,
    count: u64,
}

/// A function in a symbol table.
pub struct Function {
    /// Its name, without version.
    pub name: &'static [u8],
    /// Where it is.
    pub address: u64,
    /// Whether it is what programs get that are linked now, and not an old version for old programs.
    pub is_current: bool,
}

/// # Safety
/// A value of type T is mapped at `address`.
unsafe fn load<T: Copy>(address: u64) -> T {
    // SAFETY: see above; alignment is not assumed.
    unsafe { (address as *const T).read_unaligned() }
}

impl Functions {
    /// Reads the headers of the vDSO, or of an object that ld.so has loaded.
    ///
    /// # Safety
    /// It is mapped at `base` (for the vDSO, the address in AT_SYSINFO_EHDR), is well-formed, and stays.
    pub unsafe fn at(base: u64) -> Functions {
        let mut functions =
            Functions { bias: base, symbols: 0, strings: 0, versions: 0, hashes: 0, count: 0 };
        // SAFETY: the object is well-formed: every address below is inside it.
        unsafe {
            let table = base + load::<u64>(base + PROGRAM_HEADER_TABLE);
            let headers =
                (0..load::<u16>(base + PROGRAM_HEADER_COUNT) as u64).map(|i| table + i * PROGRAM_HEADER);
            let mut dynamic = 0;
            for header in headers {
                match load::<u32>(header) {
                    // The first one, which has the headers, is at `base`.
                    PT_LOAD if load::<u64>(header + 8) == 0 => {
                        functions.bias = base.wrapping_sub(load::<u64>(header + 16));
                    }
                    PT_DYNAMIC => dynamic = load::<u64>(header + 16),
                    _ => {}
                }
            }
            let mut entry = functions.bias.wrapping_add(dynamic);
            let (mut hash, mut gnu_hash) = (0, 0);
            loop {
                let [tag, value] = load::<[u64; 2]>(entry);
                // ld.so puts addresses in place of the offsets in what it has loaded.
                let address = if value < base { functions.bias.wrapping_add(value) } else { value };
                match tag {
                    DT_NULL => break,
                    DT_STRTAB => functions.strings = address,
                    DT_SYMTAB => functions.symbols = address,
                    DT_VERSYM => functions.versions = address,
                    DT_HASH => hash = address,
                    DT_GNU_HASH => gnu_hash = address,
                    _ => {}
                }
                entry += 16;
            }
            functions.hashes = gnu_hash;
            functions.count = match (hash, gnu_hash) {
                (0, 0) => 0,
                (0, table) => gnu_symbol_count(table),
                (table, _) => load::<u32>(table + 4) as u64,
            };
        }
        functions
    }

    /// The function that programs get by this name that are linked now. By hash, if the object has such a table.
    pub fn find(&self, name: &[u8]) -> Option<Function> {
        let fits = |function: &Function| function.is_current && function.name == name;
        if self.hashes == 0 {
            return (0..self.count).filter_map(|index| self.function(index)).find(fits);
        }
        // SAFETY: the table is well-formed (see `at`).
        let candidates = unsafe { candidates(self.hashes, gnu_hash(name)) };
        candidates.filter_map(|index| self.function(index)).find(fits)
    }

    /// All functions.
    pub fn functions(self) -> impl Iterator<Item = Function> {
        (0..self.count).filter_map(move |index| self.function(index))
    }

    fn function(&self, index: u64) -> Option<Function> {
        const FUNCTION: u8 = 2;
        let symbol = self.symbols + index * SYMBOL;
        // SAFETY: `count` symbols lie at `symbols`, and as many versions at `versions`, if any; names are NUL-terminated in
        // the string table; all of it stays (see `at`).
        unsafe {
            let value = load::<u64>(symbol + 8);
            if load::<u8>(symbol + 4) & 0xf != FUNCTION || value == 0 {
                return None;
            }
            let name = CStr::from_ptr((self.strings + load::<u32>(symbol) as u64) as *const _).to_bytes();
            let is_current = self.versions == 0 || load::<u16>(self.versions + 2 * index) & HIDDEN == 0;
            Some(Function { name, address: self.bias.wrapping_add(value), is_current })
        }
    }
}

/// The hash of a name, as binutils and ld.so calculate it.
fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add((*byte).into()))
}

/// The parts of a GNU hash table: buckets, the first symbol's number, the bloom filter's length, a shift; then the filter, the
/// buckets, and the chains.
struct HashTable {
    buckets: u64,
    first: u32,
    bucket_table: u64,
    chains: u64,
}

impl HashTable {
    /// # Safety
    /// `table` is the address of a well-formed GNU hash table, which stays, as for all functions of this.
    unsafe fn at(table: u64) -> HashTable {
        // SAFETY: see above.
        let [buckets, first, bloom, _] = unsafe { load::<[u32; 4]>(table) };
        let bucket_table = table + 16 + 8 * bloom as u64;
        HashTable { buckets: buckets.into(), first, bucket_table, chains: bucket_table + 4 * buckets as u64 }
    }

    /// The first symbol in a bucket, 0 if it is empty.
    unsafe fn bucket(&self, number: u64) -> u32 {
        // SAFETY: there is one; see `at`.
        unsafe { load(self.bucket_table + 4 * number) }
    }

    /// A symbol's hash, whose last bit says that it ends its chain.
    unsafe fn hash(&self, symbol: u32) -> u32 {
        // SAFETY: a chain has an entry for each of its symbols; see `at`.
        unsafe { load(self.chains + 4 * (symbol - self.first) as u64) }
    }
}

/// The symbols with this hash, by index: those in its bucket's chain that have it, but for the last bit.
///
/// # Safety
/// `table` is the address of a well-formed GNU hash table, which stays.
unsafe fn candidates(table: u64, hash: u32) -> impl Iterator<Item = u64> {
    // SAFETY: as the contract says; a table without buckets has no symbols.
    let table = unsafe { HashTable::at(table) };
    let bucket = u64::from(hash).checked_rem(table.buckets);
    // SAFETY: there is such a bucket.
    let start = bucket.map_or(0, |bucket| unsafe { table.bucket(bucket) });
    let mut next = (start >= table.first && start != 0).then_some(start);
    core::iter::from_fn(move || {
        loop {
            let index = next?;
            // SAFETY: the chain did not end before.
            let found = unsafe { table.hash(index) };
            next = (found & 1 == 0).then(|| index + 1);
            if found | 1 == hash | 1 {
                return Some(index.into());
            }
        }
    })
}

/// The number of symbols that a GNU hash table covers: one more than the last index in any chain.
///
/// # Safety
/// `table` is the address of a well-formed GNU hash table.
unsafe fn gnu_symbol_count(table: u64) -> u64 {
    // SAFETY: as the contract says; all buckets and, from the last one's symbol on, all of its chain are looked at.
    unsafe {
        let table = HashTable::at(table);
        let last = (0..table.buckets).map(|bucket| table.bucket(bucket)).max().unwrap_or(0);
        if last < table.first {
            return table.first.into();
        }
        let mut index = last;
        while table.hash(index) & 1 == 0 {
            index += 1;
        }
        u64::from(index) + 1
    }
}
