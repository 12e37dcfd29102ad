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

/// Zspages with a slot each, of which the objects move from the first to the second to the third; each
/// moves only once out of a zspage, which is dead then.
struct Zspages {
    /// What a reader needs of the struct to lock it: written when the zspage is made.
    headers: [Plain; 3],
    locks: [RwLock<()>; 3],
    slots: [Plain; 3],
}

/// The contents of the one object.
const OBJECT: usize = 7;

impl Zspages {
    fn new() -> Self {
        Self {
            headers: [Plain::new(1), Plain::new(0), Plain::new(0)],
            locks: [(); 3].map(|()| RwLock::new(())),
            slots: [Plain::new(OBJECT), Plain::new(0), Plain::new(0)],
        }
    }

    /// Compaction, under the class lock: makes the next zspage, copies the object, lets `record` say
    /// where it is, and uses the slot for something else.
    fn move_from(&self, from: usize, record: impl Fn(usize)) -> bool {
        let to = from + 1;
        self.headers[to].set(1);
        let Ok(_writer) = self.locks[from].try_write() else {
            return false;
        };
        self.slots[to].set(self.slots[from].get());
        record(to);
        self.slots[from].set(0);
        true
    }

    /// Map: locks the zspage that was `seen`, and looks at the object if it is `still` there. Whether
    /// it is.
    fn map(&self, seen: usize, still: impl Fn() -> bool) -> bool {
        assert_eq!(
            self.headers[seen].get(),
            1,
            "a lock before its initialization"
        );
        let _reader = self.locks[seen].read().unwrap();
        if !still() {
            return false;
        }
        assert_eq!(self.slots[seen].get(), OBJECT, "not the object");
        true
    }
}

/// Nos. 2 and 3: the word of the anchor (of one name) or, what comes to the same, the entry of a table:
/// the object moves, twice, while its owner maps it.
fn map_against_moves(store: Ordering, first: Ordering, second: Ordering) {
    let shared = Arc::new((AtomicUsize::new(0), Zspages::new()));
    let mover = {
        let shared = shared.clone();
        thread::spawn(move || {
            let (word, zspages) = &*shared;
            let record = |to| word.store(to, store);
            if zspages.move_from(0, record) {
                zspages.move_from(1, record);
            }
        })
    };
    let (word, zspages) = &*shared;
    loop {
        let seen = word.load(first);
        if zspages.map(seen, || word.load(second) == seen) {
            break;
        }
        thread::yield_now();
    }
    mover.join().unwrap();
}

#[test]
fn word_or_entry() {
    holds(|| map_against_moves(Release, Acquire, Acquire));
    fails(|| map_against_moves(Relaxed, Acquire, Acquire));
    fails(|| map_against_moves(Release, Relaxed, Relaxed));
    // the struct of the zspage is used between the two looks
    fails(|| map_against_moves(Release, Relaxed, Acquire));
    // nothing comes back to where it was: for the second look the lock does it all
    holds(|| map_against_moves(Release, Acquire, Relaxed));
}

/// No. 3: the second look is what counts, and needs the lock before it.
#[test]
fn second_look() {
    fn model(lock_first: bool) {
        let shared = Arc::new((AtomicUsize::new(0), Zspages::new()));
        let mover = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (word, zspages) = &*shared;
                zspages.move_from(0, |to| word.store(to, Release))
            })
        };
        let (word, zspages) = &*shared;
        let seen = word.load(Acquire);
        let early = word.load(Acquire);
        zspages.map(seen, || {
            let now = if lock_first {
                word.load(Acquire)
            } else {
                early
            };
            now == seen
        });
        mover.join().unwrap();
    }
    holds(|| model(true));
    fails(|| model(false));
}

/// No. 2, of a table: it is filled, and then its anchor leads to it. (Plain memory, and entries that
/// are stored by themselves.)
fn table(store: Ordering, load: Ordering) {
    let shared = Arc::new((AtomicUsize::new(0), Plain::new(0), AtomicUsize::new(0)));
    let map = {
        let shared = shared.clone();
        thread::spawn(move || {
            let (word, bitmap, entry) = &*shared;
            if word.load(load) != 0 {
                assert_eq!(bitmap.get(), 1, "a table before its initialization");
                assert_ne!(entry.load(Acquire), 0, "a name without a place");
            }
        })
    };
    let (word, bitmap, entry) = &*shared;
    bitmap.set(1);
    entry.store(1, Release);
    word.store(1, store);
    map.join().unwrap();
}

#[test]
fn table_before_word() {
    holds(|| table(Release, Acquire));
    fails(|| table(Relaxed, Acquire));
    fails(|| table(Release, Relaxed));
}

/// What the second look of map looks at.
#[derive(Clone, Copy)]
enum Look {
    WordThenEntry,
    EntryThenWord,
    Word,
    Entry,
}

/// No. 3, of a table: it is replaced by another, of which alone the entry is rewritten when the object
/// moves.
fn replaced_table(look: Look) {
    let shared = Arc::new((
        AtomicUsize::new(0),
        [AtomicUsize::new(0), AtomicUsize::new(0)],
        Zspages::new(),
    ));
    let mover = {
        let shared = shared.clone();
        thread::spawn(move || {
            let (word, entries, zspages) = &*shared;
            entries[1].store(entries[0].load(Relaxed), Release);
            word.store(1, Release);
            zspages.move_from(0, |to| entries[1].store(to, Release));
        })
    };
    let (word, entries, zspages) = &*shared;
    loop {
        let table = word.load(Acquire);
        let entry = &entries[table];
        let seen = entry.load(Acquire);
        let same_word = || word.load(Acquire) == table;
        let same_entry = || entry.load(Acquire) == seen;
        let still = || match look {
            Look::WordThenEntry => same_word() && same_entry(),
            Look::EntryThenWord => same_entry() && same_word(),
            Look::Word => same_word(),
            Look::Entry => same_entry(),
        };
        if zspages.map(seen, still) {
            break;
        }
        thread::yield_now();
    }
    mover.join().unwrap();
}

#[test]
fn both_looks_at_a_table() {
    holds(|| replaced_table(Look::WordThenEntry));
    holds(|| replaced_table(Look::EntryThenWord));
    fails(|| replaced_table(Look::Word));
    fails(|| replaced_table(Look::Entry));
}

/// No. 4: free looks once, under the class lock, which does it all.
#[test]
fn free() {
    fn model(look_under_lock: bool) {
        let shared = Arc::new((AtomicUsize::new(0), Mutex::new(()), Zspages::new()));
        let mover = {
            let shared = shared.clone();
            thread::spawn(move || {
                let (word, class, zspages) = &*shared;
                let _class = class.lock().unwrap();
                zspages.move_from(0, |to| word.store(to, Relaxed))
            })
        };
        let (word, class, zspages) = &*shared;
        let early = word.load(Acquire);
        {
            let _class = class.lock().unwrap();
            let place = if look_under_lock {
                word.load(Relaxed)
            } else {
                early
            };
            assert_eq!(zspages.slots[place].get(), OBJECT, "not the object");
        }
        mover.join().unwrap();
    }
    holds(|| model(true));
    fails(|| model(false));
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
