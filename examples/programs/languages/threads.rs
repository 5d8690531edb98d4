//! Shows: Rust's threads: Mutex, RwLock, Condvar, mpsc, scope, Once, Barrier, park, and atomics that spin.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Condvar, Mutex, Once, RwLock, mpsc};
use std::thread;

fn main() {
    let order = Mutex::new(0u64);
    let note = |me: u64| {
        let mut order = order.lock().unwrap();
        *order = order.wrapping_mul(31).wrapping_add(me + 1);
        *order
    };
    let (shared, barrier, once, maker) = (RwLock::new(0u64), Barrier::new(3), Once::new(), AtomicU64::new(0));
    thread::scope(|scope| {
        for me in 0..3 {
            let (note, shared, barrier, once, maker) = (&note, &shared, &barrier, &once, &maker);
            scope.spawn(move || {
                once.call_once(|| maker.store(me, Ordering::Relaxed));
                let mut sum = 0u64;
                for round in 0..200 {
                    sum = sum.wrapping_add(note(me));
                    if round % 10 == me {
                        *shared.write().unwrap() += me;
                    } else {
                        sum = sum.wrapping_add(*shared.read().unwrap());
                    }
                }
                let leader = barrier.wait().is_leader();
                println!("thread {me}: {sum:x}, leader {leader}");
            });
        }
    });
    let (sender, receiver) = mpsc::channel();
    let senders: Vec<_> = (0..3)
        .map(|me| {
            let sender = sender.clone();
            thread::Builder::new()
                .name(format!("sender {me}"))
                .spawn(move || (0..100u64).for_each(|number| sender.send(me * 1000 + number).unwrap()))
                .unwrap()
        })
        .collect();
    drop(sender);
    let received = receiver.iter().fold(0u64, |hash, number| hash.wrapping_mul(31).wrapping_add(number));
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    println!("received {received:x}, made by {}", maker.into_inner());
    let (ready, changed, flag) = (Mutex::new(false), Condvar::new(), AtomicBool::new(false));
    let turns = thread::scope(|scope| {
        let spinner = scope.spawn(|| {
            let mut turns = 0u64;
            while !flag.load(Ordering::Acquire) {
                turns += 1;
                std::hint::spin_loop();
            }
            turns
        });
        let parked = scope.spawn(|| {
            thread::park();
            *ready.lock().unwrap() = true;
            changed.notify_one();
        });
        parked.thread().unpark();
        let guard = changed.wait_while(ready.lock().unwrap(), |ready| !*ready).unwrap();
        drop(guard);
        flag.store(true, Ordering::Release);
        spinner.join().unwrap()
    });
    println!("{turns} turns, order {:x}", order.into_inner().unwrap());
}
