// SPDX-License-Identifier: GPL-2.0

//! The pairs of barriers in `Documentation/design.rst`, each as a small model under loom.
//!
//! The models of `interleave_loom` run the allocator's own files, but every step of theirs sees the
//! latest value. These have the few accesses of one pair each, and loom lets a load return whatever
//! the C11 model, and so arm64, allows. Each is run with the orders that the allocator has, and must
//! hold; and with one of them relaxed, where it must fail: otherwise it would prove nothing.

use loom::{
    cell::UnsafeCell,
    sync::{
        atomic::{AtomicUsize, Ordering},
        Arc, Mutex, RwLock,
    },
    thread,
};
use std::panic::{catch_unwind, AssertUnwindSafe};

use Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Plain memory: loom fails a model in which two accesses race.
struct Plain(UnsafeCell<usize>);

// SAFETY: loom looks for races, and that there are none is what is tested.
unsafe impl Sync for Plain {}
// SAFETY: As above.
unsafe impl Send for Plain {}

impl Plain {
    fn new(value: usize) -> Self {
        Self(UnsafeCell::new(value))
    }

    fn get(&self) -> usize {
        // SAFETY: The pointer is that of the cell.
        self.0.with(|value| unsafe { *value })
    }

    fn set(&self, new: usize) {
        // SAFETY: The pointer is that of the cell.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}

fn holds(model: impl Fn() + Sync + Send + 'static) {
    loom::model(model);
}

fn fails(model: impl Fn() + Sync + Send + 'static) {
    let run = AssertUnwindSafe(|| loom::model(model));
    assert!(catch_unwind(run).is_err(), "holds without its barrier");
}

/// No. 1: `page->private` is published; a hook finds the zspage.
fn publish(store: Ordering, load: Ordering) {
    let shared = Arc::new((Plain::new(0), AtomicUsize::new(0)));
    let hook = {
        let shared = shared.clone();
        thread::spawn(move || {
            if shared.1.load(load) != 0 {
                assert_eq!(shared.0.get(), 1);
            }
        })
    };
    shared.0.set(1);
    shared.1.store(1, store);
    hook.join().unwrap();
}

#[test]
fn publication() {
    holds(|| publish(Release, Acquire));
    fails(|| publish(Relaxed, Acquire));
    fails(|| publish(Release, Relaxed));
}

const S: usize = 0;
const T: usize = 1;

/// Two zspages with a slot each, a class, and the word of the one object.
struct Class {
    word: AtomicUsize,
    locks: [RwLock<()>; 2],
    slots: [Plain; 2],
    class: Mutex<()>,
}

impl Class {
    fn new() -> Self {
        Self {
            word: AtomicUsize::new(S),
            locks: [RwLock::new(()), RwLock::new(())],
            slots: [Plain::new(1), Plain::new(0)],
            class: Mutex::new(()),
        }
    }

    /// `move_object()`, and the slot it leaves is used for something else.
    fn compact(&self, from: usize, to: usize, store: Ordering) -> bool {
        let _class = self.class.lock().unwrap();
        let Ok(_writer) = self.locks[from].try_write() else {
            return false;
        };
        self.slots[to].set(self.slots[from].get());
        self.word.store(to, store);
        self.slots[from].set(0);
        true
    }

    /// `Pool::pin()`, and a look at the object.
    fn map(&self, first: Ordering, second: Ordering) {
        loop {
            let seen = self.word.load(first);
            let _reader = self.locks[seen].read().unwrap();
            if self.word.load(second) == seen {
                assert_eq!(self.slots[seen].get(), 1, "not the object");
                return;
            }
            thread::yield_now();
        }
    }

    /// `Pool::free()`, up to the second look.
    fn free(&self, first: Ordering, second: Ordering) {
        self.word.load(first);
        let _class = self.class.lock().unwrap();
        assert_eq!(self.slots[self.word.load(second)].get(), 1);
    }
}

/// Nos. 2 and 3: the object moves, and comes back, while its owner maps it.
fn map_against_moves(moves: usize, store: Ordering, first: Ordering, second: Ordering) {
    let class = Arc::new(Class::new());
    let mover = {
        let class = class.clone();
        thread::spawn(move || {
            if class.compact(S, T, store) && moves == 2 {
                class.compact(T, S, store);
            }
        })
    };
    class.map(first, second);
    mover.join().unwrap();
}

#[test]
fn word() {
    holds(|| map_against_moves(1, Release, Acquire, Acquire));
    holds(|| map_against_moves(2, Release, Acquire, Acquire));
    // there and back: the lock of the zspage orders the way there only
    fails(|| map_against_moves(2, Relaxed, Acquire, Acquire));
    fails(|| map_against_moves(2, Release, Acquire, Relaxed));
}

/// No. 3 alone: the second look is what counts, and needs the lock before it.
#[test]
fn second_look() {
    fn model(lock_first: bool) {
        let class = Arc::new(Class::new());
        let mover = {
            let class = class.clone();
            thread::spawn(move || class.compact(S, T, Release))
        };
        let seen = class.word.load(Acquire);
        let early = class.word.load(Acquire);
        let reader = class.locks[seen].read().unwrap();
        let word = if lock_first {
            class.word.load(Acquire)
        } else {
            early
        };
        if word == seen {
            assert_eq!(class.slots[seen].get(), 1);
        }
        drop(reader);
        mover.join().unwrap();
    }
    holds(|| model(true));
    fails(|| model(false));
}

/// No. 4: the class lock does it all, whatever the order of the loads.
#[test]
fn free() {
    fn model(first: Ordering, second: Ordering) {
        let class = Arc::new(Class::new());
        let mover = {
            let class = class.clone();
            thread::spawn(move || class.compact(S, T, Release))
        };
        class.free(first, second);
        mover.join().unwrap();
    }
    holds(|| model(Acquire, Acquire));
    holds(|| model(Relaxed, Relaxed));
}

/// No. 5: unlisted under the class lock, then freed without it; a migration looks under the lock.
#[test]
fn unlisted() {
    fn model(check: bool) {
        let shared = Arc::new((Mutex::new(true), Plain::new(1)));
        let migration = {
            let shared = shared.clone();
            thread::spawn(move || {
                let listed = shared.0.lock().unwrap();
                if *listed || !check {
                    shared.1.set(2);
                }
            })
        };
        *shared.0.lock().unwrap() = false;
        shared.1.set(0);
        migration.join().unwrap();
    }
    holds(|| model(true));
    fails(|| model(false));
}

/// No. 6: a page's reference count is frozen, its mapping cleared, the count set back; a stranger
/// takes a reference if there is one, and looks at the mapping.
fn freeze(unfreeze: Ordering, get: Ordering) {
    let page = Arc::new((AtomicUsize::new(1), AtomicUsize::new(1)));
    let stranger = {
        let page = page.clone();
        thread::spawn(move || {
            let (count, mapping) = &*page;
            let refs = count.load(Relaxed);
            // get_page_unless_zero(); to lose the race is as good as zero
            refs != 0
                && count.compare_exchange(refs, refs + 1, get, Relaxed).is_ok()
                && mapping.load(Relaxed) != 0
        })
    };
    let (count, mapping) = &*page;
    let frozen = count.compare_exchange(1, 0, AcqRel, Relaxed).is_ok();
    if frozen {
        mapping.store(0, Relaxed);
        count.store(1, unfreeze);
    }
    count.fetch_sub(1, AcqRel);
    let movable = stranger.join().unwrap();
    assert!(
        !(frozen && movable),
        "a page that is being freed looks movable"
    );
}

#[test]
fn frozen_count() {
    holds(|| freeze(Release, AcqRel));
    fails(|| freeze(Relaxed, AcqRel));
    fails(|| freeze(Release, Relaxed));
}

/// No. 9: one compaction at a time.
fn compacting(enter: Ordering, leave: Ordering) {
    let shared = Arc::new((AtomicUsize::new(0), Plain::new(0)));
    let compact = move |shared: &(AtomicUsize, Plain)| {
        if shared.0.swap(1, enter) == 0 {
            shared.1.set(shared.1.get() + 1);
            shared.0.store(0, leave);
        }
    };
    let other = {
        let shared = shared.clone();
        thread::spawn(move || compact(&shared))
    };
    compact(&shared);
    other.join().unwrap();
}

#[test]
fn compaction_flag() {
    holds(|| compacting(Acquire, Release));
    fails(|| compacting(Relaxed, Release));
    fails(|| compacting(Acquire, Relaxed));
}
