//! The vDSO with a hook before each of its functions.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::process::{Direct, alone, copy, mapping_of, mappings, object_containing};
use kmod_shim::patch::near_memory::Region;
use kmod_shim::patch::object::Object;
use kmod_shim::patch::{Others, Rewriter};

/// `__vdso_clock_gettime`, moved.
static ORIGINAL: AtomicU64 = AtomicU64::new(0);
static HOOKED: AtomicU64 = AtomicU64::new(0);

type ClockGetTime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> i32;

extern "C" fn hook(clock: libc::clockid_t, time: *mut libc::timespec) -> i32 {
    HOOKED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: set to the moved function before the hook is; the arguments are passed on.
    unsafe { std::mem::transmute::<u64, ClockGetTime>(ORIGINAL.load(Ordering::Relaxed))(clock, time) }
}

/// The vDSO's dynamic functions, by name.
fn vdso_functions(object: &Object) -> Vec<(String, u64)> {
    use object::{Object as _, ObjectSymbol};
    // Its section headers, beyond its only segment, are mapped too.
    let image = copy(&mapping_of(object.mapped.start).range);
    let file = object::File::parse(&*image).expect("the vDSO is an ELF object");
    let functions = file.dynamic_symbols().filter(|symbol| symbol.size() > 0);
    functions
        .map(|symbol| (symbol.name().expect("a name").to_owned(), symbol.address() + object.mapped.start))
        .filter(|(name, _)| name.starts_with("__vdso_"))
        .collect()
}

#[test]
fn vdso_functions_can_be_hooked_and_still_called() {
    alone("vdso::vdso_functions_can_be_hooked_and_still_called", || {
        let start =
            mappings().into_iter().find(|mapping| mapping.name == "[vdso]").expect("a vDSO").range.start;
        let probe = object_containing(start);
        let functions = vdso_functions(&probe);
        let mut rewriter = Rewriter::new(Direct, 0);
        for (name, function) in &functions {
            // SAFETY: the object is the vDSO, and this process has one thread, which is here. The hook has the
            // signature of the one function that is called below.
            let original = unsafe {
                rewriter.redirect(&probe, *function, address_of_hook(), Others::Stopped, Region::Common)
            };
            let original = original.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            if name == "__vdso_clock_gettime" {
                ORIGINAL.store(original, Ordering::Relaxed);
            }
            assert!(rewriter.origin(original).is_some_and(|origin| origin == *function), "{name}");
        }
        assert!(functions.len() >= 5, "{functions:x?}");

        let clock_gettime = functions.iter().find(|(name, _)| name == "__vdso_clock_gettime").expect("it").1;
        // SAFETY: the address of a function of this signature, redirected to one of this signature.
        let clock_gettime = unsafe { std::mem::transmute::<u64, ClockGetTime>(clock_gettime) };
        let mut times = [libc::timespec { tv_sec: 0, tv_nsec: 0 }; 3];
        // SAFETY: each call fills one of the times; the middle one goes to the kernel.
        unsafe {
            assert_eq!(clock_gettime(libc::CLOCK_MONOTONIC, &raw mut times[0]), 0);
            assert_eq!(libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut times[1]), 0);
            assert_eq!(clock_gettime(libc::CLOCK_MONOTONIC, &raw mut times[2]), 0);
        }
        let times = times.map(|time| (time.tv_sec, time.tv_nsec));
        assert!(times.is_sorted() && times[0].0 > 0, "{times:?}");
        assert_eq!(HOOKED.load(Ordering::Relaxed), 2);
        assert_eq!(mapping_of(start).protection, "r-xp");
    });
}

fn address_of_hook() -> u64 {
    hook as *const () as u64
}
