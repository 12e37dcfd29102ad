// SPDX-License-Identifier: GPL-2.0

//! What a thread may do where it is: lock order, no sleeping and no allocation in atomic context.
//! The part of lockdep and `might_sleep()` that the allocator's rules need.

use super::{
    mutex::{grab, Mutex},
    world::world,
};
use crate::rt;
use std::{cell::RefCell, collections::HashMap};

/// Locks, in the order in which they may be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    Page,
    Class,
    Zspage,
}

/// What a thread is in.
#[derive(Debug, Default)]
struct Context {
    /// Locks that it holds, by rank and address.
    locks: Vec<(Rank, usize)>,
    /// Sections without preemption, and whether each began under a class lock.
    preempt_off: Vec<bool>,
}

/// The contexts of all threads.
#[derive(Default)]
pub(crate) struct Contexts(Mutex<HashMap<rt::TaskId, Context>>);

thread_local! {
    /// The same, where threads are the host's: looking at it orders nothing.
    static MINE: RefCell<Context> = const {
        RefCell::new(Context { locks: Vec::new(), preempt_off: Vec::new() })
    };
}

fn with<T>(look: impl FnOnce(&mut Context) -> T) -> T {
    if rt::PREEMPTIVE {
        return MINE.with_borrow_mut(look);
    }
    look(grab(&world().contexts.0).entry(rt::task()).or_default())
}

/// This thread is about to wait for a lock.
pub(crate) fn assert_may_wait_for(rank: Rank) {
    let worst = with(|context| context.locks.iter().map(|&(rank, _)| rank).max());
    assert!(
        worst.is_none_or(|worst| worst < rank),
        "lock order: waiting for {rank:?} while holding {worst:?}"
    );
}

/// This thread has got a lock.
pub(crate) fn acquired(rank: Rank, address: usize) {
    with(|context| context.locks.push((rank, address)));
}

/// This thread gives a lock back.
pub(crate) fn released(rank: Rank, address: usize) {
    let found = with(|context| {
        let locks = &mut context.locks;
        let at = locks.iter().rposition(|&lock| lock == (rank, address));
        at.map(|at| locks.remove(at))
    });
    assert!(
        found.is_some(),
        "unlocking a {rank:?} lock that is not held"
    );
}

/// This thread allocates, frees a page or sleeps: not under a lock of the allocator.
pub(crate) fn assert_no_spinlock(what: &str) {
    let worst = with(|context| context.locks.iter().map(|&(rank, _)| rank).max());
    assert!(
        worst.is_none_or(|worst| worst < Rank::Class),
        "{what} under a {worst:?} lock"
    );
}

/// A section without preemption begins.
pub(crate) fn preempt_off() {
    with(|context| {
        let under_class_lock = context.locks.iter().any(|lock| lock.0 == Rank::Class);
        context.preempt_off.push(under_class_lock);
    });
}

/// It ends.
pub(crate) fn preempt_on() {
    let section = with(|context| context.preempt_off.pop());
    assert!(section.is_some(), "preemption was not off");
}

/// A page of a zspage that has been published is freed: preemption has been off since before the class
/// lock was given back, under which the zspage was unlisted.
pub(crate) fn assert_not_preempted_since_unlisting() {
    assert!(
        with(|context| context.preempt_off.contains(&true)),
        "a freer may be preempted between unlisting a zspage and freeing its pages"
    );
}

/// This thread may sleep.
pub(crate) fn assert_may_sleep(what: &str) {
    assert_no_spinlock(what);
    assert!(
        with(|context| context.preempt_off.is_empty()),
        "{what} with preemption off"
    );
    assert!(!world().rcu.reading(), "{what} in an RCU read section");
}

/// The machine is idle.
pub(crate) fn assert_nothing_held() {
    let world = world();
    for (task, context) in grab(&world.contexts.0).iter() {
        let idle = context.locks.is_empty() && context.preempt_off.is_empty();
        assert!(idle, "{task:?} is still in {context:?}");
    }
}
