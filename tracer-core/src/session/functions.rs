//! libc's functions on synchronisation objects, as a watched replay tells of them.

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name in libc.
    pub name: &'static str,
    /// What it does.
    pub deed: Deed,
}

/// What a function does to the object that its first argument points to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It takes a lock.
    Take(Lock, Manner),
    /// It gives a lock up.
    Release(Lock),
    /// It gives the mutex of its second argument up, waits for a condition variable, and takes the mutex again.
    WaitForCondition,
    /// It wakes those that wait for a condition variable.
    WakeCondition,
    /// It takes from a semaphore.
    TakeSemaphore(Manner),
    /// It gives to a semaphore.
    GiveSemaphore,
    /// It waits until enough threads have come to a barrier.
    MeetAtBarrier,
    /// It waits for a thread's end.
    Join,
    /// It calls something unless that was called before, and returns when that has returned.
    Once,
    /// What was at the object's address is another object from here on.
    Renew,
    /// It gives back the block of memory that its first argument points to. Told of only where accesses are.
    Free,
}

/// A kind of lock, and how it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// A mutex.
    Mutex,
    /// A read-write lock, with others that read; when released, either way.
    Shared,
    /// A read-write lock, alone.
    Exclusive,
    /// A spin lock.
    Spin,
}

/// What a function does when it cannot have the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It waits.
    Wait,
    /// It waits until some time.
    Until,
    /// It fails.
    Try,
}

const fn row(name: &'static str, deed: Deed) -> Function {
    Function { name, deed }
}

/// All that is told of. C11's functions go through the same code.
pub const FUNCTIONS: &[Function] = &[
    row("pthread_mutex_lock", Deed::Take(Lock::Mutex, Manner::Wait)),
    row("pthread_mutex_trylock", Deed::Take(Lock::Mutex, Manner::Try)),
    row("pthread_mutex_timedlock", Deed::Take(Lock::Mutex, Manner::Until)),
    row("pthread_mutex_clocklock", Deed::Take(Lock::Mutex, Manner::Until)),
    row("pthread_mutex_unlock", Deed::Release(Lock::Mutex)),
    row("pthread_mutex_init", Deed::Renew),
    row("pthread_mutex_destroy", Deed::Renew),
    row("pthread_rwlock_rdlock", Deed::Take(Lock::Shared, Manner::Wait)),
    row("pthread_rwlock_tryrdlock", Deed::Take(Lock::Shared, Manner::Try)),
    row("pthread_rwlock_timedrdlock", Deed::Take(Lock::Shared, Manner::Until)),
    row("pthread_rwlock_clockrdlock", Deed::Take(Lock::Shared, Manner::Until)),
    row("pthread_rwlock_wrlock", Deed::Take(Lock::Exclusive, Manner::Wait)),
    row("pthread_rwlock_trywrlock", Deed::Take(Lock::Exclusive, Manner::Try)),
    row("pthread_rwlock_timedwrlock", Deed::Take(Lock::Exclusive, Manner::Until)),
    row("pthread_rwlock_clockwrlock", Deed::Take(Lock::Exclusive, Manner::Until)),
    row("pthread_rwlock_unlock", Deed::Release(Lock::Shared)),
    row("pthread_rwlock_init", Deed::Renew),
    row("pthread_rwlock_destroy", Deed::Renew),
    row("pthread_spin_lock", Deed::Take(Lock::Spin, Manner::Wait)),
    row("pthread_spin_trylock", Deed::Take(Lock::Spin, Manner::Try)),
    row("pthread_spin_unlock", Deed::Release(Lock::Spin)),
    row("pthread_cond_wait", Deed::WaitForCondition),
    row("pthread_cond_timedwait", Deed::WaitForCondition),
    row("pthread_cond_clockwait", Deed::WaitForCondition),
    row("pthread_cond_signal", Deed::WakeCondition),
    row("pthread_cond_broadcast", Deed::WakeCondition),
    row("sem_wait", Deed::TakeSemaphore(Manner::Wait)),
    row("sem_trywait", Deed::TakeSemaphore(Manner::Try)),
    row("sem_timedwait", Deed::TakeSemaphore(Manner::Until)),
    row("sem_clockwait", Deed::TakeSemaphore(Manner::Until)),
    row("sem_post", Deed::GiveSemaphore),
    row("pthread_barrier_wait", Deed::MeetAtBarrier),
    row("pthread_join", Deed::Join),
    row("pthread_timedjoin_np", Deed::Join),
    row("pthread_clockjoin_np", Deed::Join),
    row("pthread_once", Deed::Once),
    row("free", Deed::Free),
    row("realloc", Deed::Free),
    row("reallocarray", Deed::Free),
];

/// The place of the function of this name; of a name that is not there, none.
pub const fn number(name: &[u8]) -> Option<u16> {
    let mut place = 0;
    while place < FUNCTIONS.len() {
        if is_same(FUNCTIONS[place].name.as_bytes(), name) {
            return Some(place as u16);
        }
        place += 1;
    }
    None
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let mut at = 0;
    while at < one.len() {
        if one[at] != other[at] {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_found_by_their_names() {
        for (place, function) in FUNCTIONS.iter().enumerate() {
            assert_eq!(number(function.name.as_bytes()), Some(place as u16));
        }
        assert_eq!(number(b"pthread_mutex"), None);
        assert_eq!(number(b""), None);
    }
}
