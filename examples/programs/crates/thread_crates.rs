//! Shows: what crates do with threads: work stealing, channels, an asynchronous runtime, and who drops an Arc last.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::{env, process, thread};

fn main() {
    match env::args().nth(1).as_deref() {
        Some("rayon") => with_rayon(),
        Some("crossbeam") => with_crossbeam(),
        Some("tokio") => with_tokio(),
        Some("last-release") => last_release(),
        _ => {
            eprintln!("thread-crates rayon|crossbeam|tokio|last-release");
            process::exit(2);
        }
    }
}

/// Depends on the order in which it is given numbers.
#[derive(Default)]
struct Order(AtomicU64);

impl Order {
    fn note(&self, number: u64) {
        let fold = |hash: u64| Some(hash.wrapping_mul(31).wrapping_add(number));
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, fold);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

fn work(number: u64) -> u64 {
    (0..2000).fold(number, |sum, step| black_box(sum.rotate_left(5) ^ step))
}

/// Which thread of the pool gets which item.
fn with_rayon() {
    use rayon::prelude::*;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    let order = Order::default();
    let sum = pool.install(|| {
        (0..2000u64)
            .into_par_iter()
            .map(|number| {
                order.note(number * 4 + rayon::current_thread_index().unwrap() as u64);
                work(number)
            })
            .reduce(|| 0, u64::wrapping_add)
    });
    println!("sum {sum:x}, order {:x}", order.get());
}

/// Who receives what from bounded, unbounded and meeting channels.
fn with_crossbeam() {
    for capacity in [Some(0), Some(4), None] {
        let (sender, receiver) = match capacity {
            Some(capacity) => crossbeam_channel::bounded(capacity),
            None => crossbeam_channel::unbounded(),
        };
        let (done, finished) = crossbeam_channel::bounded(1);
        let order = Order::default();
        thread::scope(|scope| {
            for me in 0..2u64 {
                let (sender, receiver, done, order) =
                    (sender.clone(), receiver.clone(), done.clone(), &order);
                scope.spawn(move || (0..300).for_each(|number| sender.send(me * 1000 + number).unwrap()));
                scope.spawn(move || {
                    for number in receiver {
                        order.note(number * 2 + me);
                    }
                    done.send(me).unwrap();
                });
            }
            drop((sender, receiver, done));
            let mut ended = Vec::new();
            while let Ok(me) = crossbeam_channel::select! { recv(finished) -> me => me } {
                ended.push(me);
            }
            println!("capacity {capacity:?}: order {:x}, ended {ended:?}", order.get());
        });
    }
}

/// In which order tasks run, on which threads, and who gets the lock.
fn with_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().unwrap();
    let order = Arc::new(Order::default());
    let lock = Arc::new(tokio::sync::Mutex::new(0u64));
    runtime.block_on(async {
        let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
        for me in 0..16u64 {
            let (order, lock, sender) = (order.clone(), lock.clone(), sender.clone());
            tokio::spawn(async move {
                for round in 0..20 {
                    let mut held = lock.lock().await;
                    *held = held.wrapping_mul(31).wrapping_add(me);
                    drop(held);
                    order.note(work(me * 100 + round));
                    sender.send(me).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
        drop(sender);
        let mut received = 0u64;
        while let Some(me) = receiver.recv().await {
            received = received.wrapping_mul(31).wrapping_add(me);
        }
        let blocking = tokio::task::spawn_blocking(|| work(1)).await.unwrap();
        println!("received {received:x}, lock {:x}, blocking {blocking:x}", *lock.lock().await);
    });
    drop(runtime);
    println!("order {:x}", order.get());
}

/// Which thread releases a shared object last, and so runs its destructor.
fn last_release() {
    struct Shared(u64, Arc<Mutex<Vec<(u64, String)>>>);
    impl Drop for Shared {
        fn drop(&mut self) {
            let name = thread::current().name().unwrap_or_default().to_owned();
            self.1.lock().unwrap().push((self.0, name));
        }
    }
    let released = Arc::new(Mutex::new(Vec::new()));
    let objects: Vec<Arc<Shared>> =
        (0..200).map(|number| Arc::new(Shared(number, released.clone()))).collect();
    let threads: Vec<_> = (0..3)
        .map(|me| {
            let objects = objects.clone();
            let releasing = move || {
                for object in objects {
                    black_box(work(object.0));
                    drop(object);
                    thread::yield_now();
                }
            };
            thread::Builder::new().name(me.to_string()).spawn(releasing).unwrap()
        })
        .collect();
    drop(objects);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    for (number, name) in released.lock().unwrap().iter() {
        println!("{number} released by {name}");
    }
}
