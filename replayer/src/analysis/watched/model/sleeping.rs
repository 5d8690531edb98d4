//! What the model learns when threads go to sleep, and come back.

use super::super::Space;
use super::super::observer::{How, Observer, Sort, Taking};
use super::{LARGEST, Model};
use tracer_core::session::functions::Manner;
use tracer_core::session::watch::Record;

impl<O: Observer> Model<'_, O> {
    pub(super) fn sleeps(&mut self, space: Space, record: &Record) {
        let stream = record.stream;
        let object = self.id(space, record.object);
        let is_of = |taking: &Taking| {
            let start = taking.object.address;
            (start..start.saturating_add(LARGEST)).contains(&record.object)
        };
        let thread = self.threads.entry(stream).or_default();
        if let Some((condition, mutex)) = thread.waited.take_if(|(condition, _)| is_of(condition)) {
            // It was woken for nothing.
            self.release(stream, mutex.object, record.time);
            let thread = self.threads.entry(stream).or_default();
            (thread.pending, thread.then) = (Some(condition), Some(mutex));
        }
        let thread = self.threads.entry(stream).or_default();
        thread.asleep = true;
        if let Some(pending) = thread.pending.as_mut().filter(|pending| is_of(pending)) {
            pending.slept = true;
            return;
        }
        if thread.pending.is_none()
            && let Some(then) = thread.then.as_mut().filter(|then| is_of(then))
        {
            then.slept = true;
            return;
        }
        if thread.pending.as_ref().is_some_and(|pending| pending.sort == Sort::Condition)
            && thread.then.as_ref().is_some_and(is_of)
        {
            // The condition has come; the mutex has not.
            let came = thread.pending.take();
            if let Some(then) = thread.then.as_mut() {
                (then.slept, then.began) = (true, record.time);
            }
            if let Some(came) = came {
                self.came(&came, record.time);
            }
            return;
        }
        let (how, manner, slept) = (How::Alone, Manner::Wait, true);
        let Record { caller, stack, time: began, .. } = *record;
        let (sort, operation) = (Sort::Futex, None);
        thread.futex =
            Some(Taking { stream, object, sort, how, manner, caller, stack, began, operation, slept });
    }

    pub(super) fn wakes(&mut self, stream: u32, record: &Record) {
        let now = record.time;
        let thread = self.threads.entry(stream).or_default();
        thread.asleep = false;
        if let Some(futex) = thread.futex.take() {
            return self.came(&futex, now);
        }
        if let Some(taking) = thread.pending.take_if(|taking| taking.slept) {
            match taking.sort {
                _ if self.exact => self.threads.entry(stream).or_default().pending = Some(taking),
                // It does not try again.
                _ if taking.manner == Manner::Until && record.result == -libc::ETIMEDOUT => {
                    self.observer.refused(&taking, now);
                }
                sort if sort.is_lock() => {
                    if self.is_free(&taking) {
                        self.take(&taking, now);
                    } else {
                        self.threads.entry(stream).or_default().pending = Some(taking);
                    }
                }
                Sort::Thread => self.came(&taking, now),
                Sort::Condition => {
                    let thread = self.threads.entry(stream).or_default();
                    thread.waited = thread.then.clone().map(|mutex| (taking.clone(), mutex));
                    self.came(&taking, now);
                    self.take_after_wait(stream, now);
                }
                // It may sleep again; the last time counts.
                _ => self.threads.entry(stream).or_default().pending = Some(taking),
            }
        } else if !self.exact {
            self.take_after_wait(stream, now);
        }
    }

    /// After a wait for a condition: the mutex, if it is free.
    pub(super) fn take_after_wait(&mut self, stream: u32, now: u64) {
        let then = self.threads.entry(stream).or_default().then.take();
        let Some(mutex) = then else { return };
        let began = if mutex.slept { mutex.began } else { now };
        let mutex = Taking { began, ..mutex };
        if self.is_free(&mutex) {
            self.take(&mutex, now);
        } else {
            self.threads.entry(stream).or_default().then = Some(mutex);
        }
    }
}
