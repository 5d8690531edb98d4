//! Real calls about processes, time and the machine.

use super::arena::Arena;

#[test]
fn the_machine() {
    let mut arena = Arena::new();
    let name = arena.space(400);
    arena.succeed(libc::SYS_uname, &[name]);
    let information = arena.space(128);
    arena.succeed(libc::SYS_sysinfo, &[information]);
    let random = arena.space(32);
    assert_eq!(arena.succeed(libc::SYS_getrandom, &[random, 32, 0]), 32);
    let (cpu, node) = (arena.space(4), arena.space(4));
    arena.succeed(libc::SYS_getcpu, &[cpu, node, 0]);
    let mask = arena.space(1024);
    assert!(arena.succeed(libc::SYS_sched_getaffinity, &[0, 1024, mask]) >= 8);
}

#[test]
fn usage_and_limits() {
    let mut arena = Arena::new();
    let usage = arena.space(144);
    arena.succeed(libc::SYS_getrusage, &[libc::RUSAGE_SELF as u64, usage]);
    let times = arena.space(32);
    arena.succeed(libc::SYS_times, &[times]);
    let limit = arena.space(16);
    arena.succeed(libc::SYS_getrlimit, &[libc::RLIMIT_NOFILE as u64, limit]);
    arena.succeed(libc::SYS_prlimit64, &[0, libc::RLIMIT_CORE as u64, 0, limit]);
    let attributes = arena.space(100);
    arena.succeed(libc::SYS_sched_getattr, &[0, attributes, 56, 0]);
    let parameter = arena.space(4);
    arena.succeed(libc::SYS_sched_getparam, &[0, parameter]);
    let page = arena.space(1);
    let stack = &page as *const u64 as u64 & !4095;
    arena.succeed(libc::SYS_mincore, &[stack, 1, page]);
    let (mode, nodes) = (arena.space(4), arena.space(128));
    let policy = arena.call(libc::SYS_get_mempolicy, &[mode, nodes, 1024, 0, 0]);
    assert!(policy == 0 || policy == -i64::from(libc::ENOSYS));
}

#[test]
fn identities() {
    let mut arena = Arena::new();
    let (real, effective, saved) = (arena.space(4), arena.space(4), arena.space(4));
    arena.succeed(libc::SYS_getresuid, &[real, effective, saved]);
    arena.succeed(libc::SYS_getresgid, &[real, effective, saved]);
    let groups = arena.space(4096);
    arena.succeed(libc::SYS_getgroups, &[1024, groups]);
    arena.succeed(libc::SYS_getgroups, &[0, groups]);
    let (header, sets) = (arena.ints(&[0x2008_0522, 0]), arena.space(24));
    arena.succeed(libc::SYS_capget, &[header, sets]);
    let (unknown, sets) = (arena.ints(&[1, 0]), arena.space(24));
    assert_eq!(arena.call(libc::SYS_capget, &[unknown, sets]), -i64::from(libc::EINVAL));
    assert_eq!(arena.int(unknown), 0x2008_0522);
    let name = arena.space(16);
    arena.succeed(libc::SYS_prctl, &[libc::PR_GET_NAME as u64, name]);
    let signal = arena.space(4);
    arena.succeed(libc::SYS_prctl, &[libc::PR_GET_PDEATHSIG as u64, signal]);
    let base = arena.space(8);
    arena.succeed(libc::SYS_arch_prctl, &[0x1003, base]);
}

#[test]
fn clocks_and_timers() {
    let mut arena = Arena::new();
    let time = arena.space(32);
    arena.succeed(libc::SYS_clock_gettime, &[libc::CLOCK_MONOTONIC as u64, time]);
    arena.succeed(libc::SYS_clock_getres, &[libc::CLOCK_MONOTONIC as u64, time]);
    let zone = arena.space(8);
    arena.succeed(libc::SYS_gettimeofday, &[time, zone]);
    arena.succeed(libc::SYS_time, &[time]);
    arena.succeed(libc::SYS_getitimer, &[libc::ITIMER_VIRTUAL as u64, time]);
    let timer = arena.succeed(libc::SYS_timerfd_create, &[libc::CLOCK_MONOTONIC as u64, 0]) as u64;
    let (new, old) = (arena.words(&[0, 0, 100, 0]), arena.space(32));
    arena.succeed(libc::SYS_timerfd_settime, &[timer, 0, new, old]);
    arena.succeed(libc::SYS_timerfd_gettime, &[timer, old]);
    arena.succeed(libc::SYS_close, &[timer]);
    let state = arena.bytes(&[0; 208]);
    arena.succeed(libc::SYS_adjtimex, &[state]);
    let short = arena.words(&[0, 1]);
    let remaining = arena.space(16);
    assert_eq!(arena.succeed(libc::SYS_nanosleep, &[short, remaining]), 0);
}

/// Interrupts the calling thread every millisecond until it is dropped.
struct Interruptions {
    timer: libc::timer_t,
}

extern "C" fn nothing(_: i32) {}

impl Interruptions {
    fn begin() -> Interruptions {
        // SAFETY: all structures are valid when zeroed and live through the calls; the handler does nothing.
        unsafe {
            let mut action: libc::sigaction = core::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(i32) as usize;
            assert_eq!(libc::sigaction(libc::SIGUSR1, &action, core::ptr::null_mut()), 0);
            let mut event: libc::sigevent = core::mem::zeroed();
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = libc::SIGUSR1;
            event.sigev_notify_thread_id = libc::gettid();
            let mut timer: libc::timer_t = core::ptr::null_mut();
            assert_eq!(libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer), 0);
            let millisecond = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
            let every = libc::itimerspec { it_interval: millisecond, it_value: millisecond };
            assert_eq!(libc::timer_settime(timer, 0, &every, core::ptr::null_mut()), 0);
            Interruptions { timer }
        }
    }
}

impl Drop for Interruptions {
    fn drop(&mut self) {
        // SAFETY: the timer was created by `begin` and is deleted once.
        unsafe { libc::timer_delete(self.timer) };
    }
}

#[test]
fn interrupted_calls_tell_the_remaining_time() {
    let mut arena = Arena::new();
    let interrupted = -i64::from(libc::EINTR);
    let (request, remaining) = (arena.words(&[1000, 0]), arena.space(16));
    let fds = arena.words(&[u64::from(u32::MAX) | 0xffff << 48]);
    let (timeout, micros) = (arena.words(&[1000, 0]), arena.words(&[1000, 0]));
    let interruptions = Interruptions::begin();
    assert_eq!(arena.call(libc::SYS_nanosleep, &[request, remaining]), interrupted);
    assert_eq!(arena.call(libc::SYS_clock_nanosleep, &[1, 0, request, remaining]), interrupted);
    assert_eq!(arena.call(libc::SYS_nanosleep, &[request, request]), interrupted);
    assert_eq!(arena.call(libc::SYS_ppoll, &[fds, 1, timeout, 0, 8]), interrupted);
    assert_eq!(arena.call(libc::SYS_poll, &[fds, 1, u64::MAX]), interrupted);
    assert_eq!(arena.call(libc::SYS_select, &[0, 0, 0, 0, micros]), interrupted);
    assert_eq!(arena.call(libc::SYS_pselect6, &[0, 0, 0, 0, timeout, 0]), interrupted);
    drop(interruptions);
}

#[test]
fn a_child_that_ends() {
    for number in [libc::SYS_wait4, libc::SYS_waitid] {
        // SAFETY: the child does nothing but end, which is safe after fork in a program with threads.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: never comes back and runs no destructors.
            unsafe { libc::_exit(3) };
        }
        assert!(child > 0, "fork");
        let mut arena = Arena::new();
        let (status, usage) = (arena.space(128), arena.space(144));
        if number == libc::SYS_wait4 {
            assert_eq!(arena.succeed(number, &[child as u64, status, 0, usage]), i64::from(child));
            assert_eq!(arena.int(status), 3 << 8);
        } else {
            arena.succeed(number, &[libc::P_PID as u64, child as u64, status, libc::WEXITED as u64, usage]);
            assert_eq!(arena.int(status + 24), 3);
        }
        let none = arena.space(128);
        let gone = arena.call(number, &[libc::P_PID as u64, child as u64, none, libc::WEXITED as u64, usage]);
        assert!(gone < 0, "no such child any more");
    }
}
