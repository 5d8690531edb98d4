//! The decisions of chaos, by themselves. The library cannot be linked to a test (it brings its own `malloc` and
//! `memcpy`), so the module is compiled into this one.

#[path = "../src/order/chaos.rs"]
mod chaos;

use chaos::{Chaos, Decision, Nanos, THREADS, seed_of};
use std::collections::BTreeMap;

/// Decisions after which a thread that was passed over comes first.
const PATIENCE: usize = 512;

/// A domain of `threads` that are always ready; who runs after each of `steps` safepoints.
fn runners(seed: u64, threads: usize, steps: usize) -> Vec<usize> {
    let mut chaos = domain(seed, threads);
    let mut runner = chaos.choose(0..threads).unwrap();
    let mut all = Vec::new();
    for _ in 0..steps {
        let waiting = (0..threads).filter(|index| *index != runner);
        if let Decision::HandOverTo(next) = chaos.at_safepoint(runner, waiting) {
            assert_ne!(next, runner);
            runner = next;
        }
        all.push(runner);
    }
    all
}

fn domain(seed: u64, threads: usize) -> Box<Chaos> {
    let mut chaos = Box::new(Chaos::new(seed));
    (0..threads).for_each(|index| chaos.thread_began(index));
    chaos
}

/// The longest stretch in which each thread does not run.
fn longest_absences(runners: &[usize], threads: usize) -> Vec<usize> {
    let absence = |index: usize| {
        let stretches = runners.split(|runner| *runner == index).map(<[usize]>::len);
        stretches.max().unwrap_or(0)
    };
    (0..threads).map(absence).collect()
}

#[test]
fn the_same_seed_decides_the_same() {
    for seed in [1, 2, 0xdead_beef, u64::MAX] {
        assert_eq!(runners(seed, 5, 20_000), runners(seed, 5, 20_000));
        let slices = |seed| {
            let mut chaos = domain(seed, 1);
            (0..100).map(move |_| chaos.slice()).collect::<Vec<_>>()
        };
        assert_eq!(slices(seed), slices(seed));
    }
}

#[test]
fn different_seeds_decide_differently() {
    let all: std::collections::BTreeSet<_> = (1..=100).map(|seed| runners(seed, 5, 20_000)).collect();
    assert_eq!(all.len(), 100);
    let first: std::collections::BTreeSet<_> = (1..=100).map(|seed| runners(seed, 5, 1)[0]).collect();
    assert_eq!(first.len(), 5, "each thread is the first to run with some seed");
}

#[test]
fn domains_of_one_recording_have_seeds_of_their_own() {
    let seeds: std::collections::BTreeSet<_> =
        (0..100).flat_map(|stream| [seed_of(1, stream), seed_of(2, stream)]).collect();
    assert_eq!(seeds.len(), 200);
}

#[test]
fn no_thread_starves() {
    for seed in 1..=20 {
        for threads in [2, 3, 8, 64] {
            // All may run out of patience at once, and rise one after the other.
            let bound = PATIENCE + threads;
            for (index, absence) in
                longest_absences(&runners(seed, threads, 50_000), threads).iter().enumerate()
            {
                assert!(*absence <= bound, "seed {seed}: thread {index} of {threads} waited {absence} steps");
            }
        }
    }
}

#[test]
fn those_who_block_all_the_time_starve_nobody_either() {
    for seed in 1..=20 {
        let mut chaos = domain(seed, 8);
        // Whoever runs blocks at once, and is ready again at the next decision.
        let chosen: Vec<_> = (0..20_000).map(|_| chaos.choose(0..8).unwrap()).collect();
        for absence in longest_absences(&chosen, 8) {
            assert!(absence <= PATIENCE + 8, "seed {seed}: {absence}");
        }
    }
}

#[test]
fn hand_overs_are_rare_between_changes() {
    // A priority scheduler, not a coin for each step: whoever is on top stays there for long.
    for seed in 1..=20 {
        let runners = runners(seed, 4, 100_000);
        let hand_overs = runners.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((100..20_000).contains(&hand_overs), "seed {seed}: {hand_overs} hand-overs");
    }
}

#[test]
fn the_lowest_priority_loses() {
    for seed in 1..=200 {
        let mut chaos = domain(seed, 3);
        // 0 yields: it is below 1 and 2. Then 1 does, and is below 0.
        let Decision::HandOverTo(next) = chaos.at_yield(0, [1, 2].into_iter()) else {
            panic!("seed {seed}: who yields goes on although others wait")
        };
        assert_ne!(next, 0);
        assert_eq!(chaos.choose([0, next].into_iter()), Some(next));
        assert!(matches!(chaos.at_yield(1, [0, 2].into_iter()), Decision::HandOverTo(0 | 2)));
        assert_eq!(chaos.choose([0, 1].into_iter()), Some(0));
        assert_eq!(chaos.choose([1, 2].into_iter()), Some(2));
        // Whoever waits alone runs, however low it is.
        assert_eq!(chaos.choose([1].into_iter()), Some(1));
        assert_eq!(chaos.choose(std::iter::empty()), None);
    }
}

#[test]
fn a_ready_thread_of_higher_priority_preempts_at_once() {
    for seed in 1..=200 {
        let mut chaos = domain(seed, 2);
        let best = chaos.choose([0, 1].into_iter()).unwrap();
        // A change point may lie here, so that 1 - `best` may win; it is never the other way around.
        if let Decision::HandOverTo(next) = chaos.at_safepoint(1 - best, [best].into_iter()) {
            assert_eq!(next, best);
        }
    }
    let preempted = (1..=200).filter(|seed| {
        let mut chaos = domain(*seed, 2);
        let best = chaos.choose([0, 1].into_iter()).unwrap();
        chaos.at_safepoint(1 - best, [best].into_iter()) == Decision::HandOverTo(best)
    });
    assert_eq!(preempted.count(), 200);
}

#[test]
fn most_forced_stops_hand_over() {
    let mut chaos = domain(7, 2);
    let handed_over = (0..1000).filter(|_| {
        let best = chaos.choose([0, 1].into_iter()).unwrap();
        matches!(chaos.at_stop(best, [1 - best].into_iter()), Decision::HandOverTo(_))
    });
    assert!((600..900).contains(&handed_over.count()));
}

#[test]
fn a_thread_alone_goes_on_but_for_delays() {
    let mut chaos = domain(3, 1);
    let mut counts = BTreeMap::new();
    for _ in 0..50_000 {
        let sort = match chaos.at_safepoint(0, std::iter::empty()) {
            Decision::GoOn => "goes on",
            Decision::Delay(Nanos(nanos)) => {
                assert!((16_384..=1_048_576).contains(&nanos), "{nanos}");
                "delayed"
            }
            Decision::HandOverTo(_) => "handed over",
        };
        *counts.entry(sort).or_insert(0) += 1;
    }
    assert_eq!(counts.get("handed over"), None);
    assert!((20..500).contains(&counts["delayed"]), "{counts:?}");
}

#[test]
fn slices_are_short_and_long() {
    let mut chaos = domain(11, 1);
    let slices: Vec<u64> = (0..10_000).map(|_| chaos.slice().0).collect();
    assert!(slices.iter().all(|slice| (32_768..1 << 26).contains(slice)));
    let short = slices.iter().filter(|slice| **slice < 1 << 20).count();
    let long = slices.iter().filter(|slice| **slice >= 1 << 23).count();
    assert!((5_700..6_800).contains(&short), "{short}");
    assert!((800..1_700).contains(&long), "{long}");
}

#[test]
fn the_last_number_is_a_thread_too() {
    let mut chaos = domain(5, 0);
    chaos.thread_began(THREADS - 1);
    assert_eq!(chaos.choose([THREADS - 1].into_iter()), Some(THREADS - 1));
}
