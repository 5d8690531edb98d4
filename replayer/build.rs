//! Linker options of the tool, whose start is part of the price of each recording, and what `imitate cc` links into programs.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Linked at a fixed address: else the loader would relocate twenty thousand pointers, in a hundred pages that each
    // process which the tool forks would share with it no more.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    // Rust's library wants libgcc_s, whose constructor executes a dozen cpuid instructions; on a virtual machine each
    // takes microseconds.
    let directory = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(directory.join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc )\n")?;
    println!("cargo::rustc-link-arg-bins=-L{}", directory.display());
    println!("cargo::rerun-if-changed=build.rs");
    compile_stand_in("ATOMICS", &directory, |_| ())?;
    compile_stand_in("ALL", &directory, |compiler| {
        compiler.define("ORDERS_ALL", None);
    })
}

/// Compiles what stands in for ThreadSanitizer, and says in a variable where the object is.
fn compile_stand_in(name: &str, directory: &Path, configure: impl FnOnce(&mut cc::Build)) -> io::Result<()> {
    const SOURCE: &str = "src/rebuild/stand_in.c";
    let mut compiler = cc::Build::new();
    // It goes into programs as it is: position-independent, for libraries; with 16-byte atomic operations.
    compiler.file(SOURCE).opt_level(2).debug(false).pic(true).flag("-mcx16").warnings(false);
    compiler.out_dir(directory.join(name)).cargo_metadata(false);
    configure(&mut compiler);
    let objects = compiler.try_compile_intermediates().map_err(io::Error::other)?;
    let object = objects.first().ok_or(io::ErrorKind::NotFound)?;
    println!("cargo::rustc-env=IMITATE_STAND_IN_{name}={}", object.display());
    println!("cargo::rerun-if-changed={SOURCE}");
    Ok(())
}
