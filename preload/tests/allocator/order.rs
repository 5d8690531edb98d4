//! Threads that run at the same time get the same addresses, if they enter the sections in the same order.

use crate::allocator::{Cache, Statistics};
use crate::host::{Host, Order, THREAD};
use std::sync::mpsc;
use std::thread;

const THREADS: usize = 4;
const ROUNDS: usize = 4000;

/// A generator of numbers, the same for the same seed (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn size(&mut self) -> usize {
        let limit = [64, 1000, 8000, 60_000, 400_000][self.below(5).min(self.below(5))];
        self.below(limit)
    }
}

/// All addresses that each thread got, and what it found in the blocks.
type History = Vec<Vec<(usize, u64)>>;

/// What a block says that nobody has written to since it was allocated.
fn first_word(block: *mut u8) -> u64 {
    // SAFETY: every block has 16 bytes.
    unsafe { block.cast::<u64>().read() }
}

/// Threads in a ring, each of which sends some of its blocks to the next one and frees those that it gets. Which and when
/// is part of the history; how far each thread is when the others are somewhere is not.
fn run(wanted: Option<Order>) -> (History, Order) {
    let place = Host::<2>::heap(wanted);
    let heap = &place.0;
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..THREADS).map(|_| mpsc::channel::<Vec<usize>>()).unzip();
    let history = thread::scope(|scope| {
        let threads: Vec<_> = receivers
            .into_iter()
            .enumerate()
            .map(|(me, receiver)| {
                let sender = senders[(me + 1) % THREADS].clone();
                scope.spawn(move || {
                    THREAD.set(me);
                    let mut cache = Cache::new();
                    let mut numbers = Numbers(me as u64 + 1);
                    let (mut blocks, mut history) = (Vec::new(), Vec::new());
                    for round in 0..ROUNDS {
                        let size = numbers.size();
                        let block = match numbers.below(10) {
                            0 => heap.allocate_zeroed(&mut cache, 1, size),
                            1 => heap.allocate_aligned(&mut cache, 1 << numbers.below(14), size),
                            _ => heap.allocate(&mut cache, size),
                        };
                        let mut block = block.unwrap();
                        history.push((block as usize, first_word(block)));
                        // SAFETY: every block has 16 bytes.
                        unsafe { block.cast::<u64>().write((me * ROUNDS + round) as u64) };
                        if numbers.below(4) == 0 {
                            // SAFETY: the block is this thread's.
                            block = unsafe { heap.resize(&mut cache, block, 1 + numbers.size()) }.unwrap();
                            history.push((block as usize, first_word(block)));
                        }
                        blocks.push(block as usize);
                        while blocks.len() > 200 || numbers.below(3) == 0 && !blocks.is_empty() {
                            let block = blocks.swap_remove(numbers.below(blocks.len()));
                            // SAFETY: the block is this thread's.
                            unsafe { heap.free(&mut cache, block as *mut u8) }.unwrap();
                        }
                        if round % 100 == 99 {
                            let sent = blocks.split_off(blocks.len() / 2);
                            sender.send(sent).unwrap();
                            for block in receiver.recv().unwrap() {
                                // SAFETY: the sender has given the block up.
                                unsafe { heap.free(&mut cache, block as *mut u8) }.unwrap();
                            }
                        }
                        if round == ROUNDS / 2 {
                            heap.give_back(&mut cache);
                        }
                        if round % 1000 == 700 {
                            heap.trim(&mut cache, 100_000);
                            let Statistics { uordblks, ordblks, .. } = heap.statistics();
                            history.push((uordblks, ordblks as u64));
                        }
                        if round % 500 == 300 {
                            heap.before_fork();
                            heap.after_fork();
                        }
                    }
                    heap.give_back(&mut cache);
                    history
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    (history, heap.system().visits())
}

#[test]
fn the_same_order_gives_the_same_addresses() {
    let (recorded, order) = run(None);
    for _ in 0..5 {
        let (replayed, visits) = run(Some(order.clone()));
        assert_eq!(visits, order);
        assert!(recorded == replayed);
    }
}

/// It is the order of exchanges that decides, and nothing else.
#[test]
fn another_order_gives_others() {
    let addresses = |order: [usize; 2]| {
        let place = Host::<3>::heap(None);
        let mut caches = [Cache::new(), Cache::new()];
        let mut addresses = [0; 2];
        for me in order {
            addresses[me] = place.0.allocate(&mut caches[me], 100).unwrap() as usize;
        }
        addresses
    };
    let [first, second] = addresses([0, 1]);
    assert_ne!(first, second);
    assert_eq!(addresses([0, 1]), [first, second]);
    assert_eq!(addresses([1, 0]), [second, first]);
}
