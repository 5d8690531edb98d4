//! Looks at every access of a watched replay and remembers those that race.

use super::super::watched::{Code, Hold, How, Images, LockId, Observer, Past, Seen, Sort, Space, Taking};
use super::instruction::Instructions;
use super::order::{Order, Place};
use super::shadow::{Shadow, words};
use super::site::Site;
use super::unseen::{Effect, Unseen, can_be_seen};
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;
use tracer_core::session::functions::{Deed, FUNCTIONS, Lock, Manner};
use tracer_core::session::watch::{Access, Record, what};

/// Bytes of the largest object of libc that threads are ordered by, `pthread_rwlock_t`.
const LARGEST: u64 = 56;
/// Bytes of a mutex.
const MUTEX: u64 = 40;

/// An access that is part of a race.
#[derive(Clone, Debug)]
pub struct Racer {
    /// By which thread.
    pub stream: u32,
    /// Events that it had taken.
    pub event: u64,
    /// How many accesses of it were told before.
    pub ordinal: u64,
    /// The instruction.
    pub instruction: u64,
    /// The same, or for one of libc's, where that returns to.
    pub site: u64,
    /// The instruction is libc's.
    pub in_libc: bool,
    /// It writes.
    pub writes: bool,
    /// The program can see what was there before.
    pub shows: bool,
    /// What the thread had locked.
    pub held: Rc<[LockId]>,
}

/// Two accesses to the same memory, one of which writes, that nothing orders.
pub struct Race {
    /// Where.
    pub space: Space,
    /// Which memory the second one accessed.
    pub memory: Range<u64>,
    /// The one that came first this time, and the other.
    pub racers: [Racer; 2],
    /// How often the two places raced.
    pub count: u64,
    /// It is no race: the variable is accessed atomically, which sync order does not see.
    pub is_unseen: bool,
    /// Which of all accesses the second one was.
    number: usize,
}

/// The two places of a race, and what each did.
type Key = (Space, [(u64, bool); 2]);

/// See the module.
pub struct Finder<'a> {
    images: &'a Images,
    /// In sync order: all that is done to libc's objects is told.
    exact: bool,
    instructions: Instructions,
    order: Order,
    shadow: Shadow,
    /// In sync order.
    unseen: Option<Unseen>,
    /// Words that some access is atomic to.
    atomic: HashSet<(Space, u64)>,
    /// Where libc's objects are, and their sizes in bytes.
    objects: BTreeMap<Space, BTreeMap<u64, u64>>,
    sites: HashMap<(Space, u64), Site>,
    /// What each thread had locked at its last access.
    held: HashMap<u32, Rc<[LockId]>>,
    /// All accesses that were looked at.
    racers: Vec<Racer>,
    races: BTreeMap<Key, Race>,
}

impl<'a> Finder<'a> {
    /// For the replay that told `records`, of a recording in sync order if it is `exact`; `leader` gives a stream's process by its
    /// first stream.
    pub fn new(
        images: &'a Images,
        records: &[Record],
        exact: bool,
        leader: &dyn Fn(u32) -> u32,
    ) -> Finder<'a> {
        let mut finder = Finder {
            images,
            exact,
            instructions: Instructions::default(),
            order: Order::default(),
            shadow: Shadow::default(),
            unseen: exact.then(Unseen::default),
            atomic: HashSet::new(),
            objects: BTreeMap::new(),
            sites: HashMap::new(),
            held: HashMap::new(),
            racers: Vec::new(),
            races: BTreeMap::new(),
        };
        finder.look_ahead(records, leader);
        finder
    }

    /// What is atomic somewhere is so everywhere, and where an object was, accesses of libc are those that order threads.
    fn look_ahead(&mut self, records: &[Record], leader: &dyn Fn(u32) -> u32) {
        let mut begun = HashMap::<u32, u32>::new();
        for record in records {
            let process = leader(record.stream);
            let images = begun.entry(process).or_insert(0);
            match record.what {
                what::EXECUTES => *images += 1,
                what::ACCESSES => {
                    let (space, access) = ((process, *images), Access::from_record(record));
                    let site = self.site(space, access.instruction);
                    let is_atomic = access.is_atomic() || site.is_library_of_atomics;
                    if is_atomic && self.place_of(space, &access).is_some() {
                        let size = self.instructions.look(&access).size;
                        self.atomic.extend(words(access.address, size).map(|word| (space, word)));
                    }
                }
                what::CALLS => {
                    let function = FUNCTIONS.get(usize::from(record.function));
                    let objects = self.objects.entry((process, *images)).or_default();
                    if let Some(size) = function.and_then(|function| size(function.deed, self.exact)) {
                        objects.insert(record.object, size);
                    }
                    if record.mutex != 0 {
                        objects.insert(record.mutex, MUTEX);
                    }
                }
                _ => {}
            }
        }
    }

    fn site(&mut self, space: Space, address: u64) -> Site {
        let images = self.images;
        *self.sites.entry((space, address)).or_insert_with(|| Site::of(images, space, address))
    }

    /// The program's instruction that makes the access: itself, or the one behind the call of a function of libc's that only
    /// works on memory; these have no frame yet where they do. `None` if libc accesses what is its own: a `FILE`, say, is
    /// ordered by locks inside.
    fn place_of(&mut self, space: Space, access: &Access) -> Option<u64> {
        let site = self.site(space, access.instruction);
        if !site.in_libc() {
            return Some(access.instruction);
        }
        let is_called = site.only_works_on_memory && self.site(space, access.top).code == Some(Code::Other);
        is_called.then_some(access.top)
    }

    fn held(&mut self, stream: u32, held: &[Hold]) -> Rc<[LockId]> {
        let known = self.held.entry(stream).or_default();
        if known.len() != held.len() || known.iter().zip(held).any(|(known, hold)| *known != hold.lock) {
            *known = held.iter().map(|hold| hold.lock).collect();
        }
        known.clone()
    }

    /// libc accesses one of its objects. Some functions that try to take one begin with a loop, which leaves no room for the
    /// hook that would tell of them: this does.
    fn tried(&mut self, stream: u32, object: Place, function: Option<Deed>) {
        match function {
            Some(Deed::Take(Lock::Shared, Manner::Try)) => {
                self.note(|order| order.got(stream, object, How::Shared, Sort::ReadWriteLock));
            }
            Some(Deed::TakeSemaphore(Manner::Try)) => {
                self.note(|order| order.got(stream, object, How::Alone, Sort::Semaphore));
            }
            _ => {}
        }
    }

    /// The beginning of libc's object that `address` is in.
    fn object_at(&self, space: Space, address: u64) -> Option<u64> {
        let near = address.saturating_sub(LARGEST - 1)..=address;
        let is_in = |(start, size): &(&u64, &u64)| address - **start < **size;
        self.objects.get(&space)?.range(near).find(is_in).map(|(start, _)| *start)
    }

    /// Notes what orders threads.
    fn note(&mut self, what: impl Fn(&mut Order)) {
        what(&mut self.order);
        if let Some(unseen) = &mut self.unseen {
            what(&mut unseen.order);
        }
    }

    /// An access to a variable that is accessed atomically.
    fn accessed_variable(&mut self, space: Space, memory: Range<u64>, racer: Racer, reads: bool) {
        let stream = racer.stream;
        let number = self.racers.len();
        let conflicts = self.unseen.as_mut().map(|unseen| {
            unseen.shadow.access(&unseen.order, space, memory.clone(), stream, racer.writes, number)
        });
        for word in words(memory.start, memory.end - memory.start) {
            self.order.variable(stream, (space, word), reads, racer.writes);
        }
        self.racers.push(racer);
        for earlier in conflicts.unwrap_or_default() {
            let effect = |number: usize| {
                let racer = &self.racers[number];
                Effect { shows: racer.shows, writes: racer.writes }
            };
            if can_be_seen(effect(earlier), effect(number)) {
                self.conflict(space, &memory, [earlier, number], true);
            }
        }
    }

    /// Two accesses to this memory conflict. Of races the first time is told; of what is not seen the last one, for a replay went
    /// another way not long after.
    fn conflict(&mut self, space: Space, memory: &Range<u64>, numbers: [usize; 2], is_unseen: bool) {
        let racers = numbers.map(|number| self.racers[number].clone());
        let mut places = [0, 1].map(|i| (racers[i].site, racers[i].writes));
        places.sort_unstable();
        let new = Race { space, memory: memory.clone(), racers, count: 1, is_unseen, number: numbers[1] };
        match self.races.entry((space, places)) {
            Entry::Vacant(entry) => {
                entry.insert(new);
            }
            Entry::Occupied(mut entry) if is_unseen => {
                let count = entry.get().count + 1;
                entry.insert(Race { count, ..new });
            }
            Entry::Occupied(mut entry) => entry.get_mut().count += 1,
        }
    }

    /// The races, in the order in which they were seen first; and those accesses that sync order does not see, the last ones first.
    pub fn finish(self) -> [Vec<Race>; 2] {
        let (mut unseen, mut races): (Vec<Race>, Vec<Race>) =
            self.races.into_values().partition(|race| race.is_unseen);
        races.sort_by_key(|race| race.number);
        unseen.sort_by_key(|race| Reverse(race.number));
        [races, unseen]
    }
}

fn place(object: LockId) -> Place {
    (object.space, object.address)
}

/// Bytes of the object of a function that does this (bits/pthreadtypes-arch.h), if it has one that libc alone accesses.
fn size(deed: Deed, exact: bool) -> Option<u64> {
    match deed {
        Deed::Take(Lock::Spin, _) | Deed::Release(Lock::Spin) if exact => Some(4),
        // A spin lock is a variable that is accessed atomically: its functions may be too short to be told of.
        Deed::Take(Lock::Spin, _) | Deed::Release(Lock::Spin) | Deed::Join | Deed::Free | Deed::Renew => None,
        Deed::Take(Lock::Mutex, _) | Deed::Release(Lock::Mutex) => Some(MUTEX),
        Deed::Take(..) | Deed::Release(_) => Some(LARGEST),
        Deed::WaitForCondition | Deed::WakeCondition => Some(48),
        Deed::TakeSemaphore(_) | Deed::GiveSemaphore | Deed::MeetAtBarrier => Some(32),
        Deed::Once => Some(4),
    }
}

impl Observer for Finder<'_> {
    fn taken(&mut self, taking: &Taking, _: u64, _: &[Hold], _: &Past) {
        self.note(|order| order.got(taking.stream, place(taking.object), taking.how, taking.sort));
    }

    fn returned(&mut self, taking: &Taking) {
        self.note(|order| order.got(taking.stream, place(taking.object), taking.how, taking.sort));
    }

    fn refused(&mut self, _: &Taking, _: u64) {}

    fn released(&mut self, stream: u32, hold: &Hold, _: u64) {
        self.note(|order| order.gave(stream, place(hold.lock), hold.how));
    }

    fn gave(&mut self, stream: u32, object: LockId) {
        self.note(|order| order.gave(stream, place(object), How::Alone));
    }

    fn released_untold(&mut self, stream: u32, object: LockId) {
        self.note(|order| order.gave(stream, place(object), How::Shared));
    }

    fn arrived(&mut self, stream: u32, object: LockId) {
        self.note(|order| order.arrived(stream, place(object)));
    }

    fn calls_once(&mut self, stream: u32, object: LockId) {
        self.note(|order| order.calls_once(stream, place(object)));
    }

    fn returns_from_once(&mut self, stream: u32, object: LockId) {
        self.note(|order| order.returns_from_once(stream, place(object)));
    }

    fn created(&mut self, stream: u32, created: u32) {
        self.note(|order| order.learn(created, stream));
    }

    fn joined(&mut self, stream: u32, ended: u32) {
        self.note(|order| order.learn(stream, ended));
    }

    fn accessed(&mut self, seen: &Seen, held: &[Hold]) {
        let &Seen { stream, space, event, ordinal, access } = seen;
        let instruction = self.site(space, access.instruction);
        let in_libc = instruction.in_libc();
        if in_libc && let Some(object) = self.object_at(space, access.address) {
            return self.tried(stream, (space, object), instruction.function);
        }
        let Some(site) = self.place_of(space, &access) else { return };
        let deed = self.instructions.look(&access);
        let memory = access.address..access.address.saturating_add(deed.size);
        let racer = Racer {
            stream,
            event,
            ordinal,
            instruction: access.instruction,
            site,
            in_libc,
            writes: access.writes,
            shows: deed.shows,
            held: self.held(stream, held),
        };
        let is_atomic = |word| self.atomic.contains(&(space, word));
        if access.is_atomic() || words(access.address, deed.size).any(is_atomic) {
            return self.accessed_variable(space, memory, racer, deed.reads);
        }
        let number = self.racers.len();
        let (order, writes) = (&self.order, access.writes);
        let conflicts = self.shadow.access(order, space, memory.clone(), stream, writes, number);
        self.racers.push(racer);
        for earlier in conflicts {
            self.conflict(space, &memory, [earlier, number], false);
        }
    }

    fn forgot(&mut self, space: Space, memory: Range<u64>) {
        if let Some(unseen) = &mut self.unseen {
            unseen.shadow.forget(space, memory.clone());
        }
        self.shadow.forget(space, memory);
    }
}
