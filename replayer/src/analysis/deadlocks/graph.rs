//! Orders in which locks were taken: an edge leads from a lock that a thread has to the one that it takes. A cycle of edges
//! of different threads, with no lock that two of them have besides, could have been a deadlock.

use super::super::watched::{Hold, How, LockId, Observer, Past, Taking, is_ordered};
use std::collections::{BTreeMap, BTreeSet};
use tracer_core::session::functions::Manner;

/// Locks in a cycle that is looked for, at most.
const LONGEST: usize = 6;
/// Cycles that are told, at most.
const MOST: usize = 1000;
/// Steps that are made to find them, at most: there can be very many in a graph.
const STEPS: usize = 5_000_000;

/// A thread took a lock while it had another one.
#[derive(Clone, Debug)]
pub struct Edge {
    /// What it had.
    pub held: LockId,
    held_how: How,
    /// Where it had taken that.
    pub held_caller: u64,
    /// What it took.
    pub taken: LockId,
    taken_how: How,
    /// Where.
    pub caller: u64,
    /// By whom, and when.
    pub past: Past,
    /// All that it had alone, or with others.
    guards: BTreeMap<LockId, How>,
}

/// What tells edges apart: locks and how they are held, thread, its moment, and what else it had.
type Key = (LockId, How, LockId, How, u32, u64, Vec<(LockId, How)>);

/// See the module.
pub struct Graph {
    counts_tries: bool,
    known: BTreeSet<Key>,
    edges: BTreeMap<LockId, Vec<Edge>>,
}

impl Graph {
    /// Without edges. Attempts that do not wait make some if `counts_tries`.
    pub fn new(counts_tries: bool) -> Graph {
        Graph { counts_tries, known: BTreeSet::new(), edges: BTreeMap::new() }
    }

    fn add(&mut self, taking: &Taking, held: &[Hold], past: &Past) {
        let is_one = taking.sort.is_lock() && (taking.manner == Manner::Wait || self.counts_tries);
        if !is_one || held.iter().any(|hold| hold.lock == taking.object) {
            return;
        }
        let guards: BTreeMap<LockId, How> = held.iter().map(|hold| (hold.lock, hold.how)).collect();
        let moment = past.clock.get(&past.stream).copied().unwrap_or(0);
        for hold in held {
            let list = guards.iter().map(|(lock, how)| (*lock, *how)).collect();
            let key = (hold.lock, hold.how, taking.object, taking.how, past.stream, moment, list);
            if self.known.insert(key) {
                self.edges.entry(hold.lock).or_default().push(Edge {
                    held: hold.lock,
                    held_how: hold.how,
                    held_caller: hold.caller,
                    taken: taking.object,
                    taken_how: taking.how,
                    caller: taking.caller,
                    past: past.clone(),
                    guards: guards.clone(),
                });
            }
        }
    }

    /// The cycles, one for each set of locks.
    pub fn inversions(&self) -> Vec<Vec<&Edge>> {
        let mut search = Search { graph: self, found: BTreeMap::new(), steps: 0 };
        for start in self.edges.keys() {
            search.extend(*start, &mut Vec::new());
        }
        search.found.into_values().collect()
    }
}

struct Search<'a> {
    graph: &'a Graph,
    found: BTreeMap<Vec<LockId>, Vec<&'a Edge>>,
    steps: usize,
}

impl<'a> Search<'a> {
    /// Goes on from `path`, which begins at `start`, the lowest lock of the cycle.
    fn extend(&mut self, start: LockId, path: &mut Vec<&'a Edge>) {
        let at = path.last().map_or(start, |edge| edge.taken);
        for edge in self.graph.edges.get(&at).into_iter().flatten() {
            self.steps += 1;
            if self.steps > STEPS || self.found.len() == MOST {
                return;
            }
            if edge.taken < start || !fits(path, edge) {
                continue;
            }
            path.push(edge);
            if edge.taken == start {
                if blocks(edge, path[0]) {
                    let mut locks: Vec<LockId> = path.iter().map(|edge| edge.held).collect();
                    locks.sort();
                    self.found.entry(locks).or_insert_with(|| path.clone());
                }
            } else if path.len() < LONGEST {
                self.extend(start, path);
            }
            path.pop();
        }
    }
}

/// Whether `edge` can be the next one of a path: another thread's than all of it, at the same time as all of it, without a lock
/// that keeps them apart, and waiting for what the one before... has.
fn fits(path: &[&Edge], edge: &Edge) -> bool {
    let apart = |one: &Edge| {
        one.past.stream != edge.past.stream
            && one.taken != edge.taken
            && !is_ordered(&one.past, &edge.past)
            && !have_guard(one, edge)
    };
    path.iter().all(|one| apart(one)) && path.last().is_none_or(|last| blocks(last, edge))
}

/// Whether a thread that takes what `edge` takes waits for the one that has it by `next`.
fn blocks(edge: &Edge, next: &Edge) -> bool {
    edge.taken_how == How::Alone || next.held_how == How::Alone
}

/// Whether both have a lock that only one of them can have.
fn have_guard(one: &Edge, other: &Edge) -> bool {
    one.guards.iter().any(|(lock, how)| {
        other.guards.get(lock).is_some_and(|others| *how == How::Alone || *others == How::Alone)
    })
}

impl Observer for Graph {
    fn taken(&mut self, taking: &Taking, _: u64, held: &[Hold], past: &Past) {
        self.add(taking, held, past);
    }

    fn refused(&mut self, _: &Taking, _: u64) {}

    fn released(&mut self, _: u32, _: &Hold, _: u64) {}
}

#[cfg(test)]
mod tests {
    use super::super::super::watched::Sort;
    use super::*;
    use std::rc::Rc;

    fn lock(address: u64) -> LockId {
        LockId { space: (0, 1), address, generation: 0 }
    }

    /// Thread `stream` has `held`, in this order, and takes `taken`.
    fn take(graph: &mut Graph, past: &Past, held: &[(u64, How)], taken: u64, how: How, manner: Manner) {
        let held: Vec<Hold> = held
            .iter()
            .map(|(address, how)| Hold { lock: lock(*address), how: *how, count: 1, since: 0, caller: 0 })
            .collect();
        let taking = Taking {
            stream: past.stream,
            object: lock(taken),
            sort: Sort::Mutex,
            how,
            manner,
            caller: 0,
            stack: 0,
            began: 0,
            operation: None,
            slept: false,
        };
        graph.taken(&taking, 0, &held, past);
    }

    fn past(stream: u32, clock: &[(u32, u64)]) -> Past {
        Past { stream, clock: Rc::new(clock.iter().copied().collect()) }
    }

    #[test]
    fn two_orders_of_two_threads_are_an_inversion() {
        use How::{Alone, Shared};
        use Manner::{Try, Wait};
        let found = |second: &Past, guards: [&[(u64, How)]; 2], how: How, manner: Manner| {
            let mut graph = Graph::new(false);
            let first = past(1, &[(1, 1)]);
            take(&mut graph, &first, &[guards[0], &[(10, how)]].concat(), 20, how, Wait);
            take(&mut graph, second, &[guards[1], &[(20, how)]].concat(), 10, how, manner);
            graph.inversions().len()
        };
        let other = past(2, &[(2, 1)]);
        assert_eq!(found(&other, [&[], &[]], Alone, Wait), 1);
        assert_eq!(found(&past(1, &[(1, 1)]), [&[], &[]], Alone, Wait), 0, "one thread");
        assert_eq!(found(&past(2, &[(1, 2), (2, 1)]), [&[], &[]], Alone, Wait), 0, "created later");
        assert_eq!(found(&past(2, &[(1, 1), (2, 1)]), [&[], &[]], Alone, Wait), 1, "created earlier");
        assert_eq!(found(&other, [&[(5, Alone)], &[(5, Alone)]], Alone, Wait), 0, "a gate");
        assert_eq!(found(&other, [&[(5, Shared)], &[(5, Shared)]], Alone, Wait), 1, "a gate for all");
        assert_eq!(found(&other, [&[(5, Alone)], &[(6, Alone)]], Alone, Wait), 1, "different gates");
        assert_eq!(found(&other, [&[], &[]], Shared, Wait), 0, "readers only");
        assert_eq!(found(&other, [&[], &[]], Alone, Try), 0, "it would not wait");
    }

    #[test]
    fn three_threads_can_wait_in_a_circle() {
        let mut graph = Graph::new(false);
        for (stream, held, taken) in [(1, 10, 20), (2, 20, 30), (3, 30, 10)] {
            let past = past(stream, &[(stream, 1)]);
            take(&mut graph, &past, &[(held, How::Alone)], taken, How::Alone, Manner::Wait);
        }
        let found = graph.inversions();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].len(), 3);
    }
}
