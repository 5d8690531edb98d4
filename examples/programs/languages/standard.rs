//! Shows: a Rust program's everyday nondeterminism: the order of a HashMap, clocks, files, children, arguments.

use std::collections::HashMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

fn main() -> std::io::Result<()> {
    let started = Instant::now();
    let map: HashMap<u32, String> = (0..50).map(|key| (key, format!("value {key}"))).collect();
    for (key, value) in &map {
        print!("{key}={value} ");
    }
    println!("\nhash of 1: {:x}", RandomState::new().hash_one(1));
    println!("{:?}", SystemTime::now().duration_since(UNIX_EPOCH));
    let mut file = fs::File::create("lines")?;
    for line in 0..1000 {
        writeln!(file, "{line} {:?}", started.elapsed())?;
    }
    let total: usize = BufReader::new(fs::File::open("lines")?).lines().map_while(Result::ok).map(|l| l.len()).sum();
    println!("{total} bytes in lines; modified {:?}", fs::metadata("lines")?.modified()?);
    let mut names: Vec<_> = fs::read_dir(".")?.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    names.sort();
    println!("{names:?} in {:?}", std::env::current_dir()?);
    let output = Command::new("date").arg("+%N").output()?;
    println!("{} {}", output.status, String::from_utf8_lossy(&output.stdout).trim());
    println!("boxed at {:p}, process {}", Box::new(1), std::process::id());
    println!("took {:?}", started.elapsed());
    let result = std::panic::catch_unwind(|| panic!("on purpose"));
    println!("caught a panic: {}", result.is_err());
    Ok(())
}
