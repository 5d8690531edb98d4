//! libc with every site rewritten at once, used.

use std::ops::Range;

use crate::entry::{entries, rewriter};
use crate::process::{Direct, WithoutProc, alone, copy, mapping_of, object_containing};
use kmod_shim::patch::Others;
use kmod_shim::patch::decode::{Flow, decode};
use kmod_shim::patch::eh_frame::{Segment, function_containing};
use kmod_shim::patch::kernel::Kernel;
use kmod_shim::patch::object::Object;

/// The `syscall` instructions of the function that contains `address`.
fn sites_of(object: &Object, code: &Segment, function: &Range<u64>) -> Vec<u64> {
    assert!(object.code.contains(&function.start));
    let mut bytes = code.get(function.clone()).expect("the function's code");
    let mut address = function.start;
    let mut sites = Vec::new();
    while let Some(instruction) = decode(bytes) {
        if instruction.flow == Flow::Syscall {
            sites.push(address);
        }
        address += instruction.length as u64;
        bytes = &bytes[instruction.length..];
    }
    sites
}

/// All functions of `object` and their sites.
fn all_sites(object: &Object) -> Vec<u64> {
    let (code, unwind) = (copy(&object.code), copy(&object.unwind));
    let code = Segment { address: object.code.start, bytes: &code };
    let unwind = Segment { address: object.unwind.start, bytes: &unwind };
    let mut sites = Vec::new();
    let mut address = object.code.start;
    while address < object.code.end {
        match function_containing(&unwind, object.unwind_header, address) {
            Some(function) if function.range.start >= address => {
                sites.extend(sites_of(object, &code, &function.range));
                address = function.range.end.max(address + 1);
            }
            _ => address += 1,
        }
    }
    sites
}

/// A new thread or process has no place for the test's entry to keep its return address in.
fn starts_something(site: u64, code: &Segment) -> bool {
    let before = |length| code.get(site - length..site).expect("the code before a site");
    let number = |number: i64| [&[0xb8][..], &(number as u32).to_le_bytes()].concat();
    [libc::SYS_clone, libc::SYS_fork, libc::SYS_vfork]
        .iter()
        .any(|&starts| before(16).windows(5).any(|instruction| instruction == number(starts)))
        || before(5) == number(libc::SYS_clone3)
}

/// Rewrites all of libc in a process of its own and uses it.
fn rewrite_libc(test: &str, kernel: impl Kernel) {
    alone(test, || {
        let object = object_containing(libc::getppid as *const () as u64);
        let code = copy(&object.code);
        let code = Segment { address: object.code.start, bytes: &code };
        let mut rewriter = rewriter(kernel);
        let (mut rewritten, mut refused) = (0, 0);
        for site in all_sites(&object).into_iter().filter(|&site| !starts_something(site, &code)) {
            // SAFETY: the object is libc, and this process has one thread.
            match unsafe { rewriter.rewrite(&object, site, Others::Stopped) } {
                Ok(()) => rewritten += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(rewritten > 400 && refused < 12, "{rewritten} rewritten, {refused} refused");
        let text = mapping_of(object.code.start);
        assert_eq!(
            (text.range, &*text.protection),
            (object.code_mapping.clone(), "r-xp"),
            "still one mapping"
        );
        let stubs: Vec<_> = rewriter.mappings().collect();
        assert_eq!(stubs.len(), 1, "500 stubs fit into one arena");
        assert_eq!(mapping_of(stubs[0].start).protection, "r-xp");

        let before = entries();
        use_libc();
        let passed = entries() - before;
        assert!(passed > 100, "only {passed} calls came through the stubs");
    });
}

#[test]
fn libc_works_with_every_site_rewritten() {
    rewrite_libc("libc::libc_works_with_every_site_rewritten", Direct);
}

#[test]
fn libc_works_with_every_site_rewritten_where_there_is_no_proc() {
    rewrite_libc("libc::libc_works_with_every_site_rewritten_where_there_is_no_proc", WithoutProc);
}

/// A bit of everything that makes system calls.
fn use_libc() {
    let directory = std::env::temp_dir().join(format!("imitate-patch-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("a directory");
    for index in 0..20 {
        let file = directory.join(index.to_string());
        std::fs::write(&file, vec![index; 100_000]).expect("a file");
        assert_eq!(std::fs::read(&file).expect("the file"), vec![index; 100_000]);
    }
    let count = std::fs::read_dir(&directory).expect("the directory").count();
    assert_eq!(count, 20);
    std::fs::remove_dir_all(&directory).expect("no directory");
    let missing = std::fs::File::open(&directory).expect_err("nothing");
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut writer, b"through").expect("written");
    let mut through = [0; 7];
    std::io::Read::read_exact(&mut reader, &mut through).expect("read");
    assert_eq!(&through, b"through");
    // SAFETY: these calls have no preconditions.
    let (parent, own) = unsafe { (libc::getppid(), libc::syscall(libc::SYS_getpid)) };
    assert!(parent > 0);
    assert_eq!(own, i64::from(std::process::id()));
}
