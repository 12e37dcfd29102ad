// SPDX-License-Identifier: GPL-2.0

//! Small situations in which two or three threads meet. A model checker runs each of them in many
//! orders; whatever the order, nothing is lost, leaked or used after it was freed.

use crate::{
    front::map::{self, MapMode},
    host::{
        frame,
        mm::{self, Isolated, Moved},
        mutex::{grab, Mutex},
        world,
    },
    sys::{
        alloc::Box,
        page::{self, Gfp, PAGE_SIZE},
        rcu,
    },
    zsmalloc::{Event, Handle, Pool},
};
use std::{
    ptr::NonNull,
    sync::{atomic::Ordering, Arc},
};

#[path = "names.rs"]
mod names;

/// Two objects to a page.
pub(crate) const HALF: usize = PAGE_SIZE / 2 - 8;

/// Four objects to a page.
pub(crate) const QUARTER: usize = PAGE_SIZE / 4;

/// Eight objects to a page.
pub(crate) const EIGHTH: usize = PAGE_SIZE / 8;

/// One object to a page.
pub(crate) const HUGE: usize = PAGE_SIZE;

/// Four objects to three pages: all but the first and last span two.
pub(crate) const SPANNING: usize = PAGE_SIZE / 4 * 3 - 8;

/// A pool that threads of a model share. They have all ended when it is destroyed.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Option<Box<Pool>>>>, NonNull<Pool>);

// SAFETY: Pools are shared by threads.
unsafe impl Send for Shared {}

impl Shared {
    /// A new pool of small zspages.
    pub(crate) fn new() -> Self {
        let pool = Pool::new(c"model", 4).expect("no memory for a pool");
        let address = NonNull::from(&*pool);
        Self(Arc::new(Mutex::new(Some(pool))), address)
    }

    /// The pool.
    pub(crate) fn get(&self) -> &Pool {
        // SAFETY: Models destroy the pool last.
        unsafe { self.1.as_ref() }
    }

    /// An object with contents of its own.
    pub(crate) fn object(&self, size: usize, seed: u8) -> Object {
        let handle = self
            .get()
            .malloc(size, Gfp::from_raw(0))
            .expect("no memory for an object");
        let object = Object { handle, size, seed };
        self.access(&object, MapMode::WriteOnly);
        object
    }

    /// Maps the object, checks or writes it as the mode says, and unmaps it.
    pub(crate) fn access(&self, object: &Object, mode: MapMode) {
        // SAFETY: Nobody else writes the object.
        let at = unsafe { map::map(self.get(), &object.handle, mode) }
            .expect("an object without a place");
        // SAFETY: Mapped, and of that size.
        let bytes = unsafe { std::slice::from_raw_parts_mut(at.as_ptr(), object.size) };
        if mode != MapMode::WriteOnly {
            assert_eq!(bytes[0], object.seed, "the first byte");
            assert_eq!(bytes[object.size - 1], object.seed, "the last byte");
            assert_eq!(bytes[object.size / 2], object.seed, "a byte in the middle");
        }
        if mode != MapMode::ReadOnly {
            bytes.fill(object.seed);
        }
        // SAFETY: Just mapped.
        unsafe { map::unmap(&object.handle) };
    }

    /// Checks the object and frees it.
    pub(crate) fn free(&self, object: Object) {
        self.get().free(object.handle);
    }

    /// Checks the object, then frees it.
    pub(crate) fn read_and_free(&self, object: Object) {
        self.access(&object, MapMode::ReadOnly);
        self.free(object);
    }

    /// The same for several.
    pub(crate) fn read_and_free_all(&self, objects: impl IntoIterator<Item = Object>) {
        objects
            .into_iter()
            .for_each(|object| self.read_and_free(object));
    }

    /// Frees the last `n` of `objects`.
    pub(crate) fn free_last(&self, objects: &mut Vec<Object>, n: usize) {
        let rest = objects.split_off(objects.len() - n);
        rest.into_iter().for_each(|object| self.free(object));
    }

    /// Compacts, and returns how many pages that freed.
    pub(crate) fn compact(&self) -> usize {
        self.get().compact()
    }

    /// Integrity, by the allocator's own check.
    pub(crate) fn check(&self) {
        if let Err(bad) = self.get().check() {
            panic!("integrity: class {}: {}", bad.class, bad.what);
        }
        let zone = world().zone_pages.load(Ordering::Relaxed);
        assert_eq!(zone, self.get().total_pages() as isize, "the pool's pages");
    }

    /// Destroys the pool, which is empty.
    pub(crate) fn destroy(self) {
        self.note();
        let pool = grab(&self.0).take();
        assert_eq!(self.get().total_pages(), 0, "pages of an empty pool");
        let left = Pool::destroy(pool.expect("destroyed twice"), ());
        assert!(left.is_ok(), "objects in an empty pool");
    }

    /// Notes what happened in the pool.
    pub(crate) fn note(&self) {
        for (event, what) in [
            (Event::MigrateRefusedUnlisted, "refused: unlisted"),
            (Event::MapRetries, "map retried"),
            (Event::MapRetriesMoved, "map of a moved object retried"),
            (Event::MovedAgain, "moved again"),
            (Event::MovedFreed, "moved object freed"),
            (Event::TablesRepacked, "table repacked"),
            (Event::CompactNoMemory, "compaction without memory"),
            (Event::CompactSkippedMapped, "compaction skipped"),
            (Event::ObjectsCompacted, "compacted"),
        ] {
            if self.get().stats().get(event) > 0 {
                world().note(what);
            }
        }
        if page::raced_frees() > 0 {
            world().note("raced free");
        }
    }
}

/// An object, and what it holds.
pub(crate) struct Object {
    handle: Handle,
    size: usize,
    seed: u8,
}

// SAFETY: A handle belongs to no thread; its word is atomic.
unsafe impl Send for Object {}
// SAFETY: As above.
unsafe impl Sync for Object {}

impl Object {
    /// Its handle.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Whether compaction has moved it.
    pub(crate) fn has_moved(&self) -> bool {
        names::has_moved(&self.handle)
    }

    /// Overwrites the word of the object's anchor, and returns what was in it.
    pub(crate) fn overwrite_anchor(&self, word: usize) -> usize {
        let anchor = names::anchor_word(&self.handle);
        let old = anchor.load(Ordering::Relaxed);
        anchor.store(word, Ordering::Relaxed);
        old
    }

    /// The object, again.
    ///
    /// # Safety
    ///
    /// At most one of the two is freed, unless that is what is tried.
    pub(crate) unsafe fn copy(&self) -> Self {
        // SAFETY: As the caller promises.
        let handle = unsafe { Handle::from_raw(self.handle.as_number()) };
        Self {
            handle: handle.expect("a handle"),
            ..*self
        }
    }
}

/// Two zspages of two slots with one object each, which compaction makes one. The first is in the
/// first page frame.
pub(crate) fn two_halves(shared: &Shared) -> (Object, Object) {
    let first = shared.object(HALF, 1);
    let second = shared.object(HALF, 2);
    let third = shared.object(HALF, 3);
    let fourth = shared.object(HALF, 4);
    shared.free(second);
    shared.free(third);
    (first, fourth)
}

/// A zspage for each number of `left`, of which so many objects are left, the first of it. Of those in
/// which equally many are left compaction empties the last.
pub(crate) fn partly_filled<const N: usize>(
    shared: &Shared,
    size: usize,
    left: [usize; N],
) -> [Vec<Object>; N] {
    let slots = PAGE_SIZE / size;
    let mut zspages = std::array::from_fn(|zspage| {
        let objects = (0..slots).map(|slot| shared.object(size, (16 * zspage + slot) as u8));
        objects.collect::<Vec<_>>()
    });
    for (objects, left) in zspages.iter_mut().zip(left) {
        shared.free_last(objects, slots - left);
    }
    zspages
}

/// Objects that were moved, and the ones that they share a zspage with.
pub(crate) struct MovedObjects {
    pub(crate) moved: Vec<Object>,
    pub(crate) others: Vec<Object>,
}

/// Two objects that have moved to a zspage where there are two others, which is full now. Their anchor
/// has a table.
pub(crate) fn two_moved(shared: &Shared) -> MovedObjects {
    let [others, moved] = partly_filled(shared, QUARTER, [2, 2]);
    assert_eq!(shared.compact(), 1, "pages freed");
    assert!(moved.iter().all(Object::has_moved), "not moved");
    MovedObjects { moved, others }
}

/// Objects that have moved and are alone in their zspage, and one more zspage, with room for them: the
/// next compaction moves them again. There are `slots` objects to a zspage. As many as `moved` says have
/// moved, of which as many as `left` says are left.
pub(crate) fn to_be_moved_again(
    shared: &Shared,
    slots: usize,
    moved: usize,
    left: usize,
) -> MovedObjects {
    let size = PAGE_SIZE / slots;
    let [natives, mut others, mut objects] =
        partly_filled(shared, size, [slots - moved, slots, moved]);
    assert_eq!(shared.compact(), 1, "pages freed");
    assert!(objects.iter().all(Object::has_moved), "not moved");
    natives.into_iter().for_each(|object| shared.free(object));
    shared.free_last(&mut objects, moved - left);
    shared.free_last(&mut others, left);
    MovedObjects {
        moved: objects,
        others,
    }
}

/// Four objects that have moved with one anchor, of which so many are left: their table is worth
/// repacking. The zspage has four others.
pub(crate) fn sparse_table(shared: &Shared, left: usize) -> MovedObjects {
    let [others, mut moved] = partly_filled(shared, EIGHTH, [4, 4]);
    assert_eq!(shared.compact(), 1, "pages freed");
    shared.free_last(&mut moved, 4 - left);
    MovedObjects { moved, others }
}

/// A zspage with an object of its own and two that were moved there, which is the one that the next
/// compaction empties into two others; first those that were moved.
pub(crate) fn mixed(shared: &Shared) -> MovedObjects {
    let [mut own, mut two, mut more, mut moved] = partly_filled(shared, QUARTER, [2, 4, 4, 2]);
    assert_eq!(shared.compact(), 1, "pages freed");
    shared.free_last(&mut own, 1);
    shared.free_last(&mut two, 2);
    shared.free_last(&mut more, 2);
    moved.append(&mut own);
    two.append(&mut more);
    MovedObjects { moved, others: two }
}

/// Migrates the page of a frame, if there is one in it.
pub(crate) fn migrate(number: usize) {
    if let Some(page) = frame::frame(number) {
        mm::isolate_and_migrate(page, 2);
    }
}

/// Migrates a page that has been isolated.
pub(crate) fn finish_migration(mut isolated: Isolated) {
    for _ in 0..2 {
        match mm::migrate(isolated) {
            Moved::Done => return,
            Moved::Again(again) => isolated = again,
            Moved::Never(again) => {
                isolated = again;
                break;
            }
        }
    }
    mm::put_back(isolated);
}

/// The end of the module: `Drop` of `Module` in `src/zsmalloc_rs.rs`, and the end of its text.
pub(crate) fn unload() {
    rcu::drain();
    if page::raced_frees() > 0 {
        page::disown_all();
    }
    let world = world();
    assert_eq!(
        world.module.in_hooks.load(Ordering::Relaxed),
        0,
        "the module is unloaded while a hook runs"
    );
    world.module.unloaded.store(1, Ordering::Relaxed);
}
