//! Objects of this system, laid out in memory as the loader would, for tests that never run them.

use std::ops::Range;
use std::path::Path;

use gimli::UnwindSection;
use kmod_shim::patch::eh_frame::Segment;
use kmod_shim::patch::object::Object;
use object::{Object as _, ObjectSection, ObjectSegment};

/// Where the test objects are taken to be loaded: among the libraries of a process without ASLR.
const BASE: u64 = 0x7fff_f000_0000;

/// Libraries and programs whose code the tests read; those that are installed.
pub const OBJECTS: [&str; 10] = [
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/x86_64-linux-gnu/libcrypto.so.3",
    "/lib/x86_64-linux-gnu/libssl.so.3",
    "/lib/x86_64-linux-gnu/libstdc++.so.6",
    "/usr/bin/bash",
    "/usr/bin/perl",
    "/usr/bin/python3",
    "/lib/x86_64-linux-gnu/libasan.so.8",
    "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/libjvm.so",
];

/// An object as it would be in memory.
pub struct Loaded {
    image: Vec<u8>,
    base: u64,
    /// What the code under test finds out about it.
    pub object: Object,
    /// Its functions, as gimli reads them from `.eh_frame`.
    pub functions: Vec<Range<u64>>,
}

impl Loaded {
    /// Lays out the object at `path`; `None` if it is not installed.
    pub fn open(path: &str) -> Option<Loaded> {
        let data = std::fs::read(Path::new(path)).ok()?;
        let file = object::File::parse(&*data).unwrap_or_else(|error| panic!("{path}: {error}"));
        let lowest = file.segments().map(|segment| segment.address()).min().expect("segments");
        let lowest = lowest & !0xfff;
        let base = if lowest == 0 { BASE } else { lowest };
        let end = file.segments().map(|segment| segment.address() + segment.size()).max().expect("segments");
        let mut image = vec![0; (end - lowest) as usize];
        for segment in file.segments() {
            let bytes = segment.data().expect("segment contents");
            image[(segment.address() - lowest) as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        let text = file.section_by_name(".text").expect("a .text section");
        let start = Segment { address: base, bytes: &image };
        let object = Object::read(&start, text.address() - lowest + base).expect("program headers");
        let functions = functions(&file, base - lowest);
        Some(Loaded { image, base, object, functions })
    }

    fn segment(&self, range: &Range<u64>) -> Segment<'_> {
        let bytes = &self.image[(range.start - self.base) as usize..(range.end - self.base) as usize];
        Segment { address: range.start, bytes }
    }

    /// The first bytes: the ELF header and the program headers.
    pub fn start(&self) -> Segment<'_> {
        Segment { address: self.base, bytes: &self.image[..4096] }
    }

    /// The code segment.
    pub fn code(&self) -> Segment<'_> {
        self.segment(&self.object.code)
    }

    /// The segment with the unwind tables.
    pub fn unwind(&self) -> Segment<'_> {
        self.segment(&self.object.unwind)
    }
}

fn functions(file: &object::File, bias: u64) -> Vec<Range<u64>> {
    let section = |name| file.section_by_name(name);
    let Some(data) = section(".eh_frame") else { return Vec::new() };
    let bytes = data.data().expect("section contents");
    let unwind = gimli::EhFrame::new(bytes, gimli::LittleEndian);
    let bases = gimli::BaseAddresses::default().set_eh_frame(data.address());
    let mut entries = unwind.entries(&bases);
    let mut functions = Vec::new();
    while let Some(entry) = entries.next().expect("a well-formed .eh_frame") {
        if let gimli::CieOrFde::Fde(partial) = entry {
            let fde =
                partial.parse(|_, bases, offset| unwind.cie_from_offset(bases, offset)).expect("an FDE");
            let start = fde.initial_address() + bias;
            functions.push(start..start + fde.len());
        }
    }
    functions.sort_by_key(|function| function.start);
    functions
}
