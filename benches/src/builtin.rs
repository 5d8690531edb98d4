//! Workloads that are Rust functions: this program runs itself, and they are what it does then.

use anyhow::{Result, bail};
use rayon::prelude::*;
use std::hint::black_box;
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;

const PIECES: u64 = 20_000;

/// Does what is called `name`.
pub fn run(name: &str) -> Result<()> {
    match name {
        "rayon" => with_rayon(),
        "threads" => with_threads(),
        _ => bail!("there is no built-in workload {name:?}: there are rayon and threads"),
    }
}

fn work(number: u64) -> u64 {
    (0..10_000).fold(number, |sum: u64, step| black_box(sum.rotate_left(5) ^ step))
}

/// A parallel iterator over a pool of two threads that steal from each other.
fn with_rayon() -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
    let sum = pool.install(|| (0..PIECES).into_par_iter().map(work).reduce(|| 0, u64::wrapping_add));
    println!("{sum:x}");
    Ok(())
}

/// Two threads that share what there is to do, send back what they have done, and wait for each other at the end.
fn with_threads() -> Result<()> {
    let left = Arc::new(Mutex::new(PIECES));
    let finished = Arc::new((Mutex::new(0), Condvar::new()));
    let (sender, receiver) = mpsc::sync_channel(64);
    for _ in 0..2 {
        let (left, finished, sender) = (left.clone(), finished.clone(), sender.clone());
        thread::spawn(move || {
            loop {
                let mut left = left.lock().expect("nobody panics with the lock");
                let Some(next) = left.checked_sub(1) else { break };
                *left = next;
                drop(left);
                sender.send(work(next)).expect("the receiver waits for the last sender");
            }
            *finished.0.lock().expect("nobody panics with the lock") += 1;
            finished.1.notify_all();
        });
    }
    drop(sender);
    let sum = receiver.iter().fold(0, u64::wrapping_add);
    let all = finished.0.lock().expect("nobody panics with the lock");
    drop(finished.1.wait_while(all, |all| *all < 2).expect("nobody panics with the lock"));
    println!("{sum:x}");
    Ok(())
}
