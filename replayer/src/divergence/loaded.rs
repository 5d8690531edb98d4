//! An ELF file as a process has it mapped: which function, line or variable is at an address.

use super::process::Mapping;
use object::{Object, ObjectSegment, ObjectSymbol, SegmentFlags, SymbolKind};
use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// See the module.
pub struct LoadedObject {
    /// The file.
    pub path: PathBuf,
    /// Where it is.
    pub addresses: Range<u64>,
    /// What is added to the file's own addresses.
    pub bias: u64,
    /// Where its content is.
    content: PathBuf,
    /// Where code is, in the file's own terms.
    code: Vec<Range<u64>>,
    /// Where functions with a name begin and end there, in ascending order.
    functions: OnceCell<Vec<(Range<u64>, String)>>,
    symbols: Option<addr2line::Loader>,
}

impl LoadedObject {
    /// Reads the file that `mappings` (consecutive ones of one file) show, from another path if it lies at one `instead`;
    /// `None` if it is no ELF file or is not there any more.
    pub fn open(mappings: &[Mapping], instead: Option<&Path>) -> Option<LoadedObject> {
        let (first, last) = (mappings.first()?, mappings.last()?);
        let content = instead.unwrap_or(&first.path);
        let data = std::fs::read(content).ok()?;
        let file = object::File::parse(&*data).ok()?;
        let bias = bias(&file, mappings)?;
        let addresses = first.addresses.start..last.addresses.end;
        let is_code = |segment: &object::Segment| match segment.flags() {
            SegmentFlags::Elf { p_flags } => p_flags & object::elf::PF_X != 0,
            _ => false,
        };
        let code = file.segments().filter(is_code);
        let code = code.map(|segment| segment.address()..segment.address().saturating_add(segment.size()));
        let (code, symbols) = (code.collect(), addr2line::Loader::new(content).ok());
        let (path, content, functions) = (first.path.clone(), content.to_owned(), OnceCell::new());
        Some(LoadedObject { path, addresses, bias, content, code, functions, symbols })
    }

    /// Whether an address in the file's own terms is one of code.
    pub fn is_code(&self, probe: u64) -> bool {
        self.code.iter().any(|code| code.contains(&probe))
    }

    /// The name of the function that an address in the file's own terms is in, if it has one that says where it ends.
    pub fn function(&self, probe: u64) -> Option<String> {
        let functions = self.functions.get_or_init(|| functions(&self.content).unwrap_or_default());
        let behind = functions.partition_point(|(addresses, _)| addresses.start <= probe);
        let (addresses, name) = functions.get(behind.checked_sub(1)?)?;
        addresses.contains(&probe).then(|| name.clone())
    }

    /// Function and `file:line` of an address in the file's own terms, each if known.
    pub fn look_up(&self, probe: u64) -> (Option<String>, Option<String>) {
        let Some(symbols) = &self.symbols else { return (None, None) };
        let function =
            symbols.find_symbol(probe).map(|name| addr2line::demangle_auto(name.into(), None).into_owned());
        let location = symbols.find_location(probe).ok().flatten();
        let line = location.and_then(|at| Some(format!("{}:{}", short(at.file?), at.line?)));
        (function, line)
    }

    /// The symbol that an address in the file's own terms is in, and how far from its beginning.
    pub fn variable(&self, probe: u64) -> Option<String> {
        let symbol = self.symbols.as_ref()?.find_symbol_info(probe)?;
        let name = addr2line::demangle_auto(symbol.name().into(), None);
        match probe.wrapping_sub(symbol.address()) {
            0 => Some(name.into_owned()),
            offset => Some(format!("{name}+{offset:#x}")),
        }
    }
}

fn functions(path: &Path) -> Option<Vec<(Range<u64>, String)>> {
    let data = std::fs::read(path).ok()?;
    let file = object::File::parse(&*data).ok()?;
    let all = file.symbols().chain(file.dynamic_symbols());
    let mut functions: Vec<_> = all
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .filter_map(|symbol| {
            let end = symbol.address().saturating_add(symbol.size());
            Some((symbol.address()..end, symbol.name().ok()?.to_owned()))
        })
        .collect();
    functions.sort_by_key(|(addresses, _)| addresses.start);
    Some(functions)
}

fn short(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

/// How far the file was moved: from the first mapping that one of its segments explains.
fn bias(file: &object::File<'_>, mappings: &[Mapping]) -> Option<u64> {
    mappings.iter().find_map(|mapping| {
        file.segments().find_map(|segment| {
            let (offset, size) = segment.file_range();
            // The kernel maps whole pages, so a mapping may begin before its segment does.
            let (start, end) = (offset & !4095, offset.checked_add(size)?);
            let address = segment.address() & !4095;
            (start..end)
                .contains(&mapping.offset)
                .then(|| mapping.addresses.start.wrapping_sub(address.wrapping_add(mapping.offset - start)))
        })
    })
}
