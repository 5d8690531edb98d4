//! A child of fork goes on with what it has inherited, whatever other threads did at that moment.

use crate::allocator::Cache;
use crate::host::{Host, THREAD};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

#[test]
fn a_child_allocates_as_its_parent_would() {
    let place = Host::<12>::heap(None);
    let heap = &place.0;
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for me in 1..=2 {
            let ended = &ended;
            scope.spawn(move || {
                THREAD.set(me);
                let mut cache = Cache::new();
                let mut blocks = Vec::new();
                while !ended.load(Ordering::Relaxed) {
                    for size in (0..20_000).step_by(117) {
                        blocks.push(heap.allocate(&mut cache, size).unwrap());
                    }
                    for block in blocks.drain(..) {
                        // SAFETY: the block is this thread's.
                        unsafe { heap.free(&mut cache, block) }.unwrap();
                    }
                }
                heap.give_back(&mut cache);
            });
        }
        let mut cache = Cache::new();
        let before = heap.allocate(&mut cache, 500).unwrap();
        // SAFETY: the block is this thread's.
        unsafe { before.write_bytes(3, 500) };
        for _ in 0..50 {
            heap.before_fork();
            let child = heap.system().fork();
            heap.after_fork();
            if child == 0 {
                let fine = (0..3).all(|round| {
                    let mut blocks = [std::ptr::null_mut(); 400];
                    for (index, block) in blocks.iter_mut().enumerate() {
                        match heap.allocate(&mut cache, index * 97 + round) {
                            Ok(new) => *block = new,
                            Err(_) => return false,
                        }
                    }
                    // SAFETY: the blocks are this thread's.
                    blocks.iter().all(|block| unsafe { heap.free(&mut cache, *block) }.is_ok())
                });
                // SAFETY: as above.
                let intact = unsafe { before.read() == 3 && heap.resize(&mut cache, before, 90_000).is_ok() };
                // SAFETY: it ends the child, without anything of the parent's.
                unsafe { libc::_exit(i32::from(!(fine && intact && heap.trim(&mut cache, 0)))) };
            }
            let mut status = -1;
            // SAFETY: the status is a variable.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            assert_eq!(status, 0);
        }
        ended.store(true, Ordering::Relaxed);
    });
}
