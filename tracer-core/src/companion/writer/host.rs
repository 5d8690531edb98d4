//! The machine, for the manifest.

use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;

use xxhash_rust::xxh3::xxh3_64;

use crate::trace::manifest::Host;

/// Where ld.so finds most libraries. It is mapped while they are loaded.
pub const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// What /proc/cpuinfo says about one processor fits into this many bytes. It is not read further: the kernel
/// may take long to make the text for hundreds of them.
const ONE_PROCESSOR: usize = 8 << 10;

/// What /proc/cpuinfo calls the features of the processor, rising.
pub fn processor_flags() -> Vec<String> {
    let mut flags: Vec<String> = field(&first_processor(), "flags").split(' ').map(str::to_owned).collect();
    flags.sort();
    flags
}

fn first_processor() -> String {
    let mut text = vec![0; ONE_PROCESSOR];
    let length = File::open("/proc/cpuinfo").and_then(|mut file| file.read(&mut text)).unwrap_or(0);
    String::from_utf8_lossy(&text[..length]).into_owned()
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
    line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim()).to_owned()
}

/// Describes this machine; what cannot be found out stays empty.
pub fn describe() -> Host {
    let mut names = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: the kernel fills `names`; all zeros is valid too.
    let names = unsafe {
        libc::uname(names.as_mut_ptr());
        names.assume_init()
    };
    let text = first_processor();
    let field = |name: &str| field(&text, name);
    Host {
        kernel: text_of(&names.release),
        machine: text_of(&names.machine),
        processor: field("model name"),
        processor_flags: format!("{:016x}", xxh3_64(field("flags").as_bytes())),
        loader_cache: loader_cache(),
    }
}

/// Bytes of ld.so's cache, 0 without one.
pub fn loader_cache() -> u64 {
    std::fs::metadata(LOADER_CACHE).map_or(0, |metadata| metadata.len())
}

fn text_of(field: &[libc::c_char]) -> String {
    let bytes: Vec<u8> = field.iter().map(|&byte| byte as u8).take_while(|&byte| byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}
