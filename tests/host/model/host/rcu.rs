// SPDX-License-Identifier: GPL-2.0

//! RCU: a callback runs after all readers that were there when it was queued have left.
//!
//! When it runs after that is up to the test: at once, as early as RCU allows (whoever makes the
//! grace period end runs it), or as late as RCU allows, when somebody waits for it.

use super::{
    context,
    mutex::{grab, Mutex},
    point::Point,
    world::world,
};
use crate::rt;
use std::{
    collections::VecDeque,
    ptr::NonNull,
    sync::atomic::{AtomicBool, Ordering},
};

/// RCU of one machine.
#[derive(Default)]
pub(crate) struct Rcu {
    state: Mutex<State>,
    late: AtomicBool,
    /// Where readers and those who wait for them meet.
    grace: Point,
}

#[derive(Default)]
struct State {
    /// Read sections: number, thread and depth.
    readers: Vec<(u64, rt::TaskId, usize)>,
    next: u64,
    queue: VecDeque<Callback>,
    /// Callbacks that are being run.
    running: usize,
}

struct Callback {
    /// Readers that it waits for.
    readers: Vec<u64>,
    run: unsafe fn(NonNull<()>),
    head: NonNull<()>,
}

// SAFETY: The object belongs to the callback, not to a thread.
unsafe impl Send for Callback {}

impl State {
    fn sections(&self) -> Vec<u64> {
        self.readers.iter().map(|&(number, ..)| number).collect()
    }

    fn pop_ripe(&mut self) -> Option<Callback> {
        let at = self.queue.iter().position(|call| call.readers.is_empty())?;
        self.running += 1;
        self.queue.remove(at)
    }
}

impl Rcu {
    /// Lets callbacks run as late as possible.
    pub(crate) fn be_late(&self) {
        self.late.store(true, Ordering::Relaxed);
    }

    /// Whether this thread is in a read section.
    pub(crate) fn reading(&self) -> bool {
        let task = rt::task();
        grab(&self.state)
            .readers
            .iter()
            .any(|reader| reader.1 == task)
    }

    /// Enters a read section.
    pub(crate) fn read_lock(&self) {
        self.grace.step();
        let mut state = grab(&self.state);
        let task = rt::task();
        if let Some(reader) = state.readers.iter_mut().find(|reader| reader.1 == task) {
            reader.2 += 1;
            return;
        }
        let number = state.next;
        state.next += 1;
        state.readers.push((number, task, 1));
    }

    /// Leaves it.
    pub(crate) fn read_unlock(&self) {
        if self.leave() {
            world().wake(std::ptr::from_ref(self) as usize);
            if !self.late.load(Ordering::Relaxed) {
                self.run_ripe();
            }
        }
        self.grace.step();
    }

    /// Whether that was the outermost one.
    fn leave(&self) -> bool {
        let mut state = grab(&self.state);
        let task = rt::task();
        let at = state
            .readers
            .iter()
            .position(|reader| reader.1 == task)
            .expect("leaving an RCU read section that was not entered");
        state.readers[at].2 -= 1;
        if state.readers[at].2 > 0 {
            return false;
        }
        let (number, ..) = state.readers.remove(at);
        for call in &mut state.queue {
            call.readers.retain(|&reader| reader != number);
        }
        true
    }

    /// `call_rcu()`.
    ///
    /// # Safety
    ///
    /// After a grace period `run` may be called with `head`.
    pub(crate) unsafe fn call(&self, run: unsafe fn(NonNull<()>), head: NonNull<()>) {
        self.grace.step();
        {
            let mut state = grab(&self.state);
            let readers = state.sections();
            state.queue.push_back(Callback { readers, run, head });
        }
        if !self.late.load(Ordering::Relaxed) {
            self.run_ripe();
        }
    }

    /// Runs the callbacks whose grace period is over.
    pub(crate) fn run_ripe(&self) {
        loop {
            let Some(call) = grab(&self.state).pop_ripe() else {
                return;
            };
            // SAFETY: As the caller of `call()` promised.
            unsafe { (call.run)(call.head) };
            grab(&self.state).running -= 1;
            world().wake(std::ptr::from_ref(self) as usize);
        }
    }

    /// Waits for the readers there are.
    pub(crate) fn synchronize(&self) {
        context::assert_may_sleep("synchronize_rcu()");
        self.grace.step();
        let readers = grab(&self.state).sections();
        self.wait(|state| {
            let now = state.sections();
            !readers.iter().any(|reader| now.contains(reader))
        });
        self.grace.step();
    }

    /// Waits until all callbacks that have been queued have run; for no reader if there is none.
    pub(crate) fn barrier(&self) {
        context::assert_may_sleep("rcu_barrier()");
        self.grace.step();
        loop {
            self.run_ripe();
            let done = |state: &State| state.queue.is_empty() && state.running == 0;
            if done(&grab(&self.state)) {
                break;
            }
            self.wait(|state| {
                done(state) || state.queue.iter().any(|call| call.readers.is_empty())
            });
        }
        self.grace.step();
    }

    fn wait(&self, ready: impl Fn(&State) -> bool) {
        world().wait(std::ptr::from_ref(self) as usize, || {
            ready(&grab(&self.state))
        });
    }

    /// Callbacks that have not run.
    pub(crate) fn pending(&self) -> usize {
        grab(&self.state).queue.len()
    }

    /// Panics if there is a reader or a callback.
    pub(crate) fn assert_idle(&self) {
        let state = grab(&self.state);
        assert!(state.readers.is_empty(), "an RCU read section is left open");
        assert!(state.queue.is_empty(), "an RCU callback has not run");
    }
}
