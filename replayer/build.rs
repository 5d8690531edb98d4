//! Linker options of the tool, whose start is part of the price of each recording.

use std::path::PathBuf;
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
    Ok(())
}
