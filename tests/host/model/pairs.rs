// SPDX-License-Identifier: GPL-2.0

//! What may happen at the same time, two things at a time, in every order (`loom`).
//!
//! Each test runs with RCU callbacks as early as they may be, and as late.

use crate::{
    explore::explore,
    front::map::MapMode,
    host::{frame, mm, world},
    rt::spawn,
    scenario::{finish_migration, migrate, two_halves, unload, Shared, HALF, HUGE, SPANNING},
    sys::page::Gfp,
};

/// No limit: every order there is.
const ALL: usize = usize::MAX;

/// Most preemptions in an order: as the model says, or `ZSM_PREEMPTIONS`.
fn preemptions(usual: usize) -> usize {
    std::env::var("ZSM_PREEMPTIONS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(usual)
}

/// A model, and what must be seen in it in some order.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    wanted: &'static [&'static str],
    preemptions: usize,
    run: fn(),
}

impl Model {
    /// Explores it with callbacks as early as they may be.
    pub(crate) fn early(&self) {
        explore(preemptions(self.preemptions), self.wanted, self.run);
    }

    /// Explores it with callbacks as late as they may be.
    pub(crate) fn late(&self) {
        let run = self.run;
        explore(preemptions(self.preemptions), self.wanted, move || {
            world().rcu.be_late();
            run();
        });
    }
}

/// Defines models, and a test for each that explores it.
macro_rules! models {
    ($($(#[$doc:meta])* $name:ident, $preemptions:expr, $wanted:expr, $model:block)*) => {
        /// All models.
        pub(crate) const MODELS: &[Model] = &[$(Model {
            name: stringify!($name),
            wanted: &$wanted,
            preemptions: $preemptions,
            run: $name::model,
        }),*];

        $($(#[$doc])*
        mod $name {
            use super::*;

            pub(super) fn model() $model

            fn me() -> &'static Model {
                let me = MODELS.iter().find(|model| model.name == stringify!($name));
                me.expect("a model that is not in the list")
            }

            #[test]
            fn callbacks_early() {
                me().early();
            }

            #[test]
            fn callbacks_late() {
                me().late();
            }
        })*
    };
}

models! {
    /// The other object of the page's zspage is freed.
    free_against_migrate, ALL, ["migrated"], {
        let pool = Shared::new();
        let (stays, goes) = (pool.object(HALF, 1), pool.object(HALF, 2));
        let shared = pool.clone();
        let other = spawn(move || shared.free(goes));
        migrate(0);
        other.join().unwrap();
        pool.check();
        pool.read_and_free(stays);
        pool.destroy();
    }

    /// The zspage whose page is being migrated loses its last object.
    free_of_the_last_object_against_migrate, 3,
    ["migrated", "refused", "refused: unlisted", "isolation refused", "freed while isolated", "raced free"], {
        let pool = Shared::new();
        let goes = pool.object(HUGE, 1);
        let shared = pool.clone();
        let other = spawn(move || shared.free(goes));
        migrate(0);
        other.join().unwrap();
        pool.check();
        pool.destroy();
    }

    /// Compaction moves what is being mapped.
    map_against_compact, ALL, ["compacted", "map retried", "compaction skipped"], {
        let pool = Shared::new();
        let (first, second) = two_halves(&pool);
        let shared = pool.clone();
        let other = spawn(move || {
            shared.access(&first, MapMode::ReadWrite);
            shared.access(&second, MapMode::ReadOnly);
            (first, second)
        });
        pool.get().compact(Gfp::of_compaction());
        let (first, second) = other.join().unwrap();
        pool.check();
        pool.read_and_free(first);
        pool.read_and_free(second);
        pool.destroy();
    }

    /// An object that spans two pages is written while each of them is migrated.
    map_against_migrate, ALL, ["migrated", "busy"], {
        let pool = Shared::new();
        let first = pool.object(SPANNING, 1);
        let second = pool.object(SPANNING, 2);
        let shared = pool.clone();
        let other = spawn(move || {
            shared.access(&second, MapMode::ReadWrite);
            second
        });
        migrate(0);
        let second = other.join().unwrap();
        pool.check();
        pool.read_and_free(first);
        pool.read_and_free(second);
        pool.destroy();
    }

    /// Compaction moves what is being freed, and frees its zspage.
    free_against_compact, ALL, ["compacted", "moved object freed"], {
        let pool = Shared::new();
        let (first, second) = two_halves(&pool);
        let shared = pool.clone();
        let other = spawn(move || {
            shared.free(first);
            shared.free(second);
        });
        pool.get().compact(Gfp::of_compaction());
        other.join().unwrap();
        pool.check();
        pool.destroy();
    }

    /// Compaction empties a zspage while a page of it, or of the other one, is migrated.
    compact_against_migrate, 3, ["compacted", "migrated", "refused"], {
        let pool = Shared::new();
        let (first, second) = two_halves(&pool);
        let other = spawn(|| {
            migrate(0);
            migrate(1);
        });
        pool.get().compact(Gfp::of_compaction());
        other.join().unwrap();
        pool.check();
        pool.read_and_free(first);
        pool.read_and_free(second);
        pool.destroy();
    }

    /// The first object of a new zspage is allocated, while anybody may find its page.
    malloc_against_migrate, 3, ["refused: unlisted", "migrated"], {
        let pool = Shared::new();
        let early = pool.object(HUGE, 1);
        pool.free(early);
        let shared = pool.clone();
        let other = spawn(move || shared.object(HUGE, 2));
        migrate(0);
        let object = other.join().unwrap();
        pool.check();
        pool.read_and_free(object);
        pool.destroy();
    }

    /// Both objects of a zspage are freed at once: one of the two frees the zspage.
    two_frees_that_empty_a_zspage, ALL, [], {
        let pool = Shared::new();
        let (first, second) = (pool.object(HALF, 1), pool.object(HALF, 2));
        let shared = pool.clone();
        let other = spawn(move || shared.free(first));
        pool.free(second);
        other.join().unwrap();
        pool.check();
        pool.destroy();
    }

    /// The same, while the page is migrated.
    two_frees_against_migrate, 2, ["migrated", "refused"], {
        let pool = Shared::new();
        let (first, second) = (pool.object(HALF, 1), pool.object(HALF, 2));
        let (shared, third) = (pool.clone(), pool.clone());
        let one = spawn(move || shared.free(first));
        let two = spawn(move || third.free(second));
        migrate(0);
        one.join().unwrap();
        two.join().unwrap();
        pool.check();
        pool.destroy();
    }

    /// The pool is destroyed while somebody still has a page of it.
    teardown_against_migrate, 3, ["migrated", "refused", "isolation refused"], {
        let pool = Shared::new();
        let last = pool.object(HUGE, 1);
        let other = spawn(move || {
            pool.free(last);
            pool.destroy();
        });
        migrate(0);
        other.join().unwrap();
    }

    /// The module is unloaded while somebody isolates, migrates and puts back a page of it.
    unload_against_migrate, 3, ["migrated", "refused", "raced free"], {
        let pool = Shared::new();
        let last = pool.object(HUGE, 1);
        let other = spawn(move || {
            pool.free(last);
            pool.destroy();
            unload();
        });
        migrate(0);
        other.join().unwrap();
    }

    /// The same for a page that was isolated before, and is put back at last.
    unload_against_put_back, 3, ["raced free"], {
        let pool = Shared::new();
        let last = pool.object(HUGE, 1);
        let isolated = frame::frame(0).and_then(mm::isolate).expect("isolated");
        let other = spawn(move || {
            pool.free(last);
            pool.destroy();
            unload();
        });
        mm::put_back(isolated);
        other.join().unwrap();
    }

    /// A page is isolated, freed, and only then migrated.
    migrate_of_a_freed_page, 3, ["freed while isolated", "raced free"], {
        let pool = Shared::new();
        let last = pool.object(HUGE, 1);
        let isolated = frame::frame(0).and_then(mm::isolate).expect("isolated");
        let shared = pool.clone();
        let other = spawn(move || shared.free(last));
        finish_migration(isolated);
        other.join().unwrap();
        pool.check();
        pool.destroy();
    }

    /// A page in the middle of a zspage is migrated while the zspage is freed page by page.
    free_of_three_pages_against_migrate, 3, ["migrated", "refused", "refused: unlisted"], {
        let pool = Shared::new();
        let goes = pool.object(SPANNING, 1);
        let shared = pool.clone();
        let other = spawn(move || shared.free(goes));
        migrate(1);
        other.join().unwrap();
        pool.check();
        pool.destroy();
    }

    /// Two migrations want the same page, which may have been migrated before the second begins.
    migrate_against_migrate, 3, ["migrated"], {
        let pool = Shared::new();
        let stays = pool.object(HUGE, 1);
        let other = spawn(|| migrate(0));
        migrate(0);
        other.join().unwrap();
        pool.check();
        pool.read_and_free(stays);
        pool.destroy();
    }

    /// An object is allocated where the last one is being freed.
    malloc_against_free, ALL, [], {
        let pool = Shared::new();
        let goes = pool.object(HALF, 1);
        let shared = pool.clone();
        let other = spawn(move || shared.free(goes));
        let stays = pool.object(HALF, 2);
        other.join().unwrap();
        pool.check();
        pool.read_and_free(stays);
        pool.destroy();
    }

    /// An object is allocated in a zspage that compaction fills or empties.
    malloc_against_compact, ALL, ["compacted"], {
        let pool = Shared::new();
        let (first, second) = two_halves(&pool);
        let shared = pool.clone();
        let other = spawn(move || shared.object(HALF, 5));
        pool.get().compact(Gfp::of_compaction());
        let third = other.join().unwrap();
        pool.check();
        [first, second, third]
            .into_iter()
            .for_each(|object| pool.read_and_free(object));
        pool.destroy();
    }

    /// Two compactions: one of them has nothing to do.
    compact_against_compact, ALL, ["compacted"], {
        let pool = Shared::new();
        let (first, second) = two_halves(&pool);
        let shared = pool.clone();
        let other = spawn(move || shared.get().compact(Gfp::of_compaction()));
        let freed = pool.get().compact(Gfp::of_compaction()) + other.join().unwrap();
        assert_eq!(freed, 1, "pages that were freed");
        pool.check();
        pool.read_and_free(first);
        pool.read_and_free(second);
        pool.destroy();
    }

    /// Somebody takes references to page frames and locks them, as memory failure does: while pages
    /// are made movable, migrated and freed, and until after the end of the module.
    stranger_against_all, 2, ["raced free", "migrated"], {
        let pool = Shared::new();
        let first = pool.object(HUGE, 1);
        let other = spawn(|| {
            for number in 0..2 {
                if let Some(page) = frame::frame(number).filter(|page| page.try_get()) {
                    if page.lock().try_lock() {
                        page.lock().unlock();
                    }
                    page.put();
                }
            }
        });
        let second = pool.object(HUGE, 2);
        migrate(0);
        pool.read_and_free(first);
        pool.read_and_free(second);
        pool.destroy();
        unload();
        other.join().unwrap();
    }

    /// No memory for an object, whichever allocation it is that fails.
    malloc_that_fails, ALL, [], {
        let pool = Shared::new();
        for fail in 0..6 {
            world().faults.at(Some(fail));
            let handle = pool.get().malloc(SPANNING, Gfp::from_raw(0));
            world().faults.at(None);
            match handle {
                Ok(handle) => pool.get().free(handle),
                // What nobody has seen is gone at once.
                Err(_) => assert_eq!(world().rcu.pending(), 0, "a failed attempt waits for RCU"),
            }
            pool.check();
            world().rcu.run_ripe();
        }
        pool.destroy();
    }

    /// An object is freed twice. The second time that is noticed, and nothing is freed.
    free_of_what_is_free, ALL, [], {
        let pool = Shared::new();
        let (first, second) = (pool.object(HALF, 1), pool.object(HALF, 2));
        // SAFETY: That is what is tried.
        let again = unsafe { first.copy() };
        pool.free(first);
        pool.free(again);
        assert_eq!(world().take_warnings(), ["free of what is not allocated"]);
        assert_eq!(pool.get().objects(), 1);
        pool.check();
        pool.read_and_free(second);
        pool.destroy();
    }

    /// Somebody has cleared the word of an anchor: it is neither followed nor freed.
    handle_without_object, ALL, [], {
        let pool = Shared::new();
        let object = pool.object(HALF, 1);
        let word = object.overwrite_anchor(0);
        assert!(pool.get().pin(object.handle()).is_none());
        // SAFETY: The free fails.
        pool.free(unsafe { object.copy() });
        assert_eq!(
            world().take_warnings(),
            ["a handle that names no object", "free of what is not allocated"]
        );
        object.overwrite_anchor(word);
        pool.check();
        pool.read_and_free(object);
        pool.destroy();
    }

    /// A zspage does not open for the lock of another class than its own.
    lock_of_another_class, ALL, [], {
        let pool = Shared::new();
        let object = pool.object(HALF, 1);
        for class in pool.get().classes() {
            let own = class.spec().index() == pool.get().class_index(HALF);
            let guard = class.lock();
            assert_eq!(guard.opens(object.handle()), own, "opened");
        }
        let warnings = world().take_warnings();
        assert!(warnings.iter().all(|&warning| warning == "a zspage of another class"));
        assert_eq!(warnings.len(), pool.get().classes().len() - 1);
        pool.read_and_free(object);
        pool.destroy();
    }
}
