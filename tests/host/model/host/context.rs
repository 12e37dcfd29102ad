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

/// Locks that each thread holds, by rank and address.
#[derive(Default)]
pub(crate) struct Held(Mutex<HashMap<rt::TaskId, Vec<(Rank, usize)>>>);

thread_local! {
    /// The same, where threads are the host's: looking at it orders nothing.
    static MINE: RefCell<Vec<(Rank, usize)>> = const { RefCell::new(Vec::new()) };
}

fn with<T>(look: impl FnOnce(&mut Vec<(Rank, usize)>) -> T) -> T {
    if rt::PREEMPTIVE {
        return MINE.with_borrow_mut(look);
    }
    look(grab(&world().held.0).entry(rt::task()).or_default())
}

/// This thread is about to wait for a lock.
pub(crate) fn assert_may_wait_for(rank: Rank) {
    let worst = with(|held| held.iter().map(|&(rank, _)| rank).max());
    assert!(
        worst.is_none_or(|worst| worst < rank),
        "lock order: waiting for {rank:?} while holding {worst:?}"
    );
}

/// This thread has got a lock.
pub(crate) fn acquired(rank: Rank, address: usize) {
    with(|held| held.push((rank, address)));
}

/// This thread gives a lock back.
pub(crate) fn released(rank: Rank, address: usize) {
    let found = with(|held| {
        let at = held.iter().rposition(|&lock| lock == (rank, address));
        at.map(|at| held.remove(at))
    });
    assert!(
        found.is_some(),
        "unlocking a {rank:?} lock that is not held"
    );
}

/// This thread allocates, frees a page or sleeps: not under a lock of the allocator.
pub(crate) fn assert_no_spinlock(what: &str) {
    let worst = with(|held| held.iter().map(|&(rank, _)| rank).max());
    assert!(
        worst.is_none_or(|worst| worst < Rank::Class),
        "{what} under a {worst:?} lock"
    );
}

/// This thread may sleep.
pub(crate) fn assert_may_sleep(what: &str) {
    assert_no_spinlock(what);
    assert!(!world().rcu.reading(), "{what} in an RCU read section");
}

/// The machine is idle.
pub(crate) fn assert_nothing_held() {
    let world = world();
    for (task, held) in grab(&world.held.0).iter() {
        assert!(held.is_empty(), "{task:?} still holds {held:?}");
    }
}
