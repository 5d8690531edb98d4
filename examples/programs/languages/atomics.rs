// Shows: atomic variables of Rust: a flag that threads spin for, and a counter whose values they share out by chance.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const ROUNDS: usize = 100_000;

static COUNTER: AtomicUsize = AtomicUsize::new(0);
static GO: AtomicBool = AtomicBool::new(false);

fn count(step: usize) -> usize {
    while !GO.load(Ordering::Acquire) {}
    (0..ROUNDS).fold(0, |hash: usize, _| {
        hash.wrapping_mul(31).wrapping_add(COUNTER.fetch_add(step, Ordering::Relaxed))
    })
}

fn main() {
    let threads = [1, 2, 3].map(|step| thread::spawn(move || count(step)));
    GO.store(true, Ordering::Release);
    for thread in threads {
        println!("{:x}", thread.join().unwrap());
    }
    println!("{}", COUNTER.load(Ordering::Relaxed));
}
