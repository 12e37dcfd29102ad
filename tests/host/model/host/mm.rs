// SPDX-License-Identifier: GPL-2.0

//! The migration core: `isolate_movable_page()`, `migrate_pages()` for one page, and
//! `putback_movable_pages()`, with the checks of `mm/migrate.c` in its order, double ones included.
//!
//! Every look at a page is a step of its own, so that the owner may free the page between any two.

use super::{frame::page, world::world};
use crate::sys::bindings::{self, movable_operations};
use std::{ptr, sync::atomic::Ordering};

/// A page that somebody has isolated, with the reference that goes with it.
#[must_use]
pub(crate) struct Isolated(&'static page);

/// How an attempt to migrate a page ended.
pub(crate) enum Moved {
    /// The page was migrated, or had been freed by its owner: it is done with.
    Done,
    /// Something was in the way: it may be tried again, or put back.
    Again(Isolated),
    /// There is no sense in trying again: it is to be put back.
    Never(Isolated),
}

const EAGAIN: i32 = -11;

/// Calls one of our hooks, whose text must be there until it has returned.
fn hook<T>(call: impl FnOnce() -> T) -> T {
    let world = world();
    assert_eq!(
        world.module.unloaded.load(Ordering::Relaxed),
        0,
        "a hook of a module that has been unloaded"
    );
    world.module.in_hooks.fetch_add(1, Ordering::Relaxed);
    let result = call();
    world.module.in_hooks.fetch_sub(1, Ordering::Relaxed);
    result
}

fn operations(page: &page) -> &'static movable_operations {
    page.operations()
        .expect("a call through NULL: the mapping was cleared")
}

/// `isolate_movable_page()`.
pub(crate) fn isolate(page: &'static page) -> Option<Isolated> {
    if !page.try_get() {
        return None;
    }
    if page.is_typed_movable() && page.lock().try_lock() {
        let taken = page.is_movable() && !page.is_isolated() && {
            let isolate = operations(page).isolate_page.expect("no isolate hook");
            // SAFETY: Referenced and locked.
            let taken = hook(|| unsafe { isolate(ptr::from_ref(page).cast_mut(), 0) });
            if !taken {
                world().note("isolation refused");
            }
            taken
        };
        if taken {
            assert!(!page.is_isolated(), "isolated by the hook");
            page.set_isolated(true);
        }
        page.lock().unlock();
        if taken {
            return Some(Isolated(page));
        }
    }
    page.put();
    None
}

/// One attempt to migrate a page to a new one (`migrate_folio_unmap()`, `migrate_folio_move()`).
pub(crate) fn migrate(isolated: Isolated) -> Moved {
    let source = isolated.0;
    if source.refs() == 1 {
        // Freed under us.
        world().note("freed while isolated");
        source.put();
        return Moved::Done;
    }
    let Some(target) = page::alloc() else {
        return Moved::Never(isolated);
    };
    source.lock().lock();
    assert!(target.lock().try_lock(), "a new page is locked");

    let result = move_to(target, source);

    if result != 0 {
        target.assert_pristine();
    }
    target.lock().unlock();
    target.put();
    source.lock().unlock();
    world().note(match result {
        0 => "migrated",
        EAGAIN => "busy",
        _ => "refused",
    });
    match result {
        0 => {
            source.put();
            Moved::Done
        }
        EAGAIN => Moved::Again(isolated),
        _ => Moved::Never(isolated),
    }
}

/// `migrate_movable_ops_page()`, under the locks of both pages.
fn move_to(target: &page, source: &page) -> i32 {
    assert!(
        source.is_typed_movable(),
        "an isolated page would be taken for one of the LRU"
    );
    assert!(source.is_isolated(), "a page that is not isolated");
    let mut result = 0;
    if source.is_movable() {
        let migrate = operations(source).migrate_page.expect("no migrate hook");
        result = hook(|| {
            // SAFETY: Both are referenced and locked.
            unsafe {
                migrate(
                    ptr::from_ref(target).cast_mut(),
                    ptr::from_ref(source).cast_mut(),
                    bindings::MIGRATE_SYNC,
                )
            }
        });
    }
    if result == 0 {
        source.set_isolated(false);
    }
    result
}

/// `putback_movable_pages()`.
pub(crate) fn put_back(isolated: Isolated) {
    let page = isolated.0;
    assert!(
        page.is_typed_movable(),
        "an isolated page would be taken for one of the LRU"
    );
    assert!(page.is_isolated(), "a page that is not isolated");
    page.lock().lock();
    if page.is_movable() {
        let putback = operations(page).putback_page.expect("no putback hook");
        // SAFETY: Referenced and locked.
        hook(|| unsafe { putback(ptr::from_ref(page).cast_mut()) });
    }
    page.set_isolated(false);
    page.lock().unlock();
    page.put();
}

/// All of it for one page, with up to `attempts`; whether it was isolated.
pub(crate) fn isolate_and_migrate(page: &'static page, attempts: usize) -> bool {
    let Some(mut isolated) = isolate(page) else {
        return false;
    };
    for _ in 0..attempts {
        match migrate(isolated) {
            Moved::Done => return true,
            Moved::Again(again) => isolated = again,
            Moved::Never(again) => {
                isolated = again;
                break;
            }
        }
    }
    put_back(isolated);
    true
}

impl Isolated {
    /// The page.
    pub(crate) fn page(&self) -> &'static page {
        self.0
    }
}
