//! Linker options: the library's constructor is the first one to run, and the library brings nothing with it.

use std::path::PathBuf;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,initfirst");
    // Rust's library wants libgcc_s. As a shared object it would be loaded into every program, move its mappings
    // and run a constructor of its own, with a dozen cpuid instructions, that we would have to trap.
    let directory = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(directory.join("libgcc_s.so"), "GROUP ( -lgcc_eh -lgcc )\n")?;
    println!("cargo::rustc-cdylib-link-arg=-L{}", directory.display());
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
