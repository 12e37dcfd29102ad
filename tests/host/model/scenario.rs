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
        atomic::AtomicUsize,
        page::{self, Gfp, PAGE_SIZE},
        rcu,
    },
    zsmalloc::{Event, Handle, Pool, ANCHOR_ALIGN},
};
use std::{
    ptr::NonNull,
    sync::{atomic::Ordering, Arc},
};

/// Two objects to a page.
pub(crate) const HALF: usize = PAGE_SIZE / 2 - 8;

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
        let left = Pool::destroy(pool.expect("destroyed twice"), || ());
        assert!(left.is_ok(), "objects in an empty pool");
    }

    /// Notes what happened in the pool.
    fn note(&self) {
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

    /// The first word of the object's anchor, as memory.
    fn anchor(&self) -> &AtomicUsize {
        let low = ANCHOR_ALIGN.trailing_zeros();
        let address = (self.handle.as_number() as isize >> (low + 7)) << low;
        // SAFETY: The object is allocated, and the anchor with it.
        unsafe { &*(address as *const AtomicUsize) }
    }

    /// Overwrites the word of the object's anchor, and returns what was in it.
    pub(crate) fn overwrite_anchor(&self, word: usize) -> usize {
        let old = self.anchor().load(Ordering::Relaxed);
        self.anchor().store(word, Ordering::Relaxed);
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
