// SPDX-License-Identifier: GPL-2.0

//! What may happen at the same time, two things at a time, in every order (`loom`).
//!
//! Each test runs with RCU callbacks as early as they may be, and as late.

use crate::{
    explore::explore,
    front::map::MapMode,
    host::{frame, mm, world},
    rt::spawn,
    scenario::{
        finish_migration, migrate, mixed, partly_filled, sparse_table, to_be_moved_again,
        two_halves, two_moved, unload, MovedObjects, Object, Shared, HALF, HUGE, QUARTER, SPANNING,
    },
    sys::{page::Gfp, rcu},
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

/// Nothing has been lost; all is freed.
fn end(pool: Shared, objects: impl IntoIterator<Item = Object>) {
    pool.check();
    pool.read_and_free_all(objects);
    pool.destroy();
}

/// Compacts while another thread uses the objects that have moved, or are to: what it leaves of them
/// and all others are there at the end.
fn while_compacting(
    pool: Shared,
    objects: MovedObjects,
    use_objects: fn(&Shared, Vec<Object>) -> Vec<Object>,
) {
    let MovedObjects { moved, others } = objects;
    let shared = pool.clone();
    let other = spawn(move || use_objects(&shared, moved));
    pool.compact();
    let left = other.join().unwrap();
    end(pool, left.into_iter().chain(others));
}

/// The two objects of a list.
fn two(objects: Vec<Object>) -> [Object; 2] {
    match <[Object; 2]>::try_from(objects) {
        Ok(two) => two,
        Err(objects) => panic!("{} objects", objects.len()),
    }
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
        pool.compact();
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
        pool.compact();
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
        pool.compact();
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
        pool.compact();
        let third = other.join().unwrap();
        pool.check();
        [first, second, third]
            .into_iter()
            .for_each(|object| pool.read_and_free(object));
        pool.destroy();
    }

    /// Compaction moves two objects of one zspage, of which each is being mapped: a table is made.
    map_against_compact_of_two, 3, ["compacted", "map retried", "compaction skipped"], {
        let pool = Shared::new();
        let [others, goes] = partly_filled(&pool, QUARTER, [2, 2]);
        let shared = pool.clone();
        let other = spawn(move || {
            shared.access(&goes[1], MapMode::ReadWrite);
            shared.access(&goes[0], MapMode::ReadOnly);
            goes
        });
        pool.compact();
        let goes = other.join().unwrap();
        end(pool, goes.into_iter().chain(others));
    }

    /// What has moved moves again while it is mapped: its entry in the table is looked at twice.
    map_against_second_move, 4,
    ["moved again", "map of a moved object retried", "compaction skipped"], {
        let pool = Shared::new();
        let objects = to_be_moved_again(&pool, 4, 2, 2);
        while_compacting(pool, objects, |shared, moved| {
            shared.access(&moved[1], MapMode::ReadWrite);
            moved
        });
    }

    /// The same for an anchor without a table: it has the place itself.
    map_against_second_move_of_the_only_one, ALL,
    ["moved again", "map of a moved object retried", "compaction skipped"], {
        let pool = Shared::new();
        let objects = to_be_moved_again(&pool, 2, 1, 1);
        while_compacting(pool, objects, |shared, moved| {
            shared.access(&moved[0], MapMode::ReadWrite);
            moved
        });
    }

    /// The table that map looks into is replaced by a smaller one.
    map_against_repack, 4, ["table repacked", "map of a moved object retried"], {
        let pool = Shared::new();
        let objects = sparse_table(&pool, 2);
        while_compacting(pool, objects, |shared, moved| {
            shared.access(&moved[1], MapMode::ReadWrite);
            moved
        });
    }

    /// The same where one name is left: the anchor has its place, and there is no table any more.
    map_against_repack_to_one_place, ALL, ["table repacked", "map of a moved object retried"], {
        let pool = Shared::new();
        let objects = sparse_table(&pool, 1);
        while_compacting(pool, objects, |shared, moved| {
            shared.access(&moved[0], MapMode::ReadWrite);
            moved
        });
    }

    /// The table is replaced, and then the object moves: the old table is not kept true.
    map_against_repack_and_second_move, 3,
    ["table repacked", "moved again", "map of a moved object retried", "compaction skipped"], {
        let pool = Shared::new();
        let objects = to_be_moved_again(&pool, 8, 4, 2);
        while_compacting(pool, objects, |shared, moved| {
            shared.access(&moved[1], MapMode::ReadWrite);
            moved
        });
    }

    /// A zspage is emptied of an object of its own and of others, into two zspages, while they are
    /// mapped.
    map_against_compact_of_a_mixed_zspage, 3,
    ["moved again", "map retried", "map of a moved object retried", "compaction skipped"], {
        let pool = Shared::new();
        let objects = mixed(&pool);
        while_compacting(pool, objects, |shared, moved| {
            shared.access(&moved[1], MapMode::ReadWrite);
            shared.access(&moved[2], MapMode::ReadOnly);
            moved
        });
    }

    /// What has moved is freed while it moves again.
    free_against_second_move, ALL, ["moved again", "moved object freed"], {
        let pool = Shared::new();
        let objects = to_be_moved_again(&pool, 4, 2, 2);
        while_compacting(pool, objects, |shared, mut moved| {
            shared.free(moved.remove(0));
            moved
        });
    }

    /// The last name of an anchor is freed, and the anchor with it, while the object moves again.
    free_of_the_last_name_against_second_move, ALL, ["moved again", "moved object freed"], {
        let pool = Shared::new();
        let objects = to_be_moved_again(&pool, 2, 1, 1);
        while_compacting(pool, objects, |shared, moved| {
            moved.into_iter().for_each(|object| shared.free(object));
            Vec::new()
        });
    }

    /// The last two names of an anchor are freed at once: one of the two frees the table and the anchor.
    two_frees_of_the_last_names, ALL, ["moved object freed"], {
        let pool = Shared::new();
        let MovedObjects { moved, others } = two_moved(&pool);
        let [first, second] = two(moved);
        let shared = pool.clone();
        let other = spawn(move || {
            shared.free(first);
        });
        pool.free(second);
        other.join().unwrap();
        end(pool, others);
    }

    /// The same, while compaction makes the table smaller and moves the objects again.
    two_frees_of_the_last_names_against_second_move, 2,
    ["moved object freed", "moved again", "table repacked"], {
        let pool = Shared::new();
        let MovedObjects { moved, others } = to_be_moved_again(&pool, 4, 2, 2);
        let [first, second] = two(moved);
        let shared = pool.clone();
        let other = spawn(move || {
            shared.free(first);
        });
        let shared = pool.clone();
        let third = spawn(move || shared.free(second));
        pool.compact();
        other.join().unwrap();
        third.join().unwrap();
        end(pool, others);
    }

    /// A table is made smaller while another name of it is freed: it may have to be smaller still.
    free_against_repack, ALL, ["table repacked", "moved object freed"], {
        let pool = Shared::new();
        let objects = sparse_table(&pool, 2);
        while_compacting(pool, objects, |shared, mut moved| {
            shared.free(moved.remove(0));
            moved
        });
    }

    /// The last name of a table that compaction is about to replace is freed.
    free_of_the_last_name_against_repack, ALL, ["table repacked", "moved object freed"], {
        let pool = Shared::new();
        let objects = sparse_table(&pool, 1);
        while_compacting(pool, objects, |shared, moved| {
            moved.into_iter().for_each(|object| shared.free(object));
            Vec::new()
        });
    }

    /// Objects that were born in the zspage that is emptied, and elsewhere, are freed.
    free_against_compact_of_a_mixed_zspage, 3, ["moved again", "moved object freed"], {
        let pool = Shared::new();
        let objects = mixed(&pool);
        while_compacting(pool, objects, |shared, mut moved| {
            shared.free(moved.remove(2));
            shared.free(moved.remove(0));
            moved
        });
    }

    /// An object is allocated where compaction moves objects to, or where it moves them from.
    malloc_against_second_move, ALL, ["moved again"], {
        let pool = Shared::new();
        let MovedObjects { moved, others } = to_be_moved_again(&pool, 4, 2, 2);
        let shared = pool.clone();
        let other = spawn(move || {
            shared.object(QUARTER, 77)
        });
        pool.compact();
        let more = other.join().unwrap();
        end(pool, moved.into_iter().chain(others).chain([more]));
    }

    /// Objects move again while the pages that they leave and come to are migrated.
    second_move_against_migrate, 3, ["moved again", "migrated", "refused"], {
        let pool = Shared::new();
        let MovedObjects { moved, others } = to_be_moved_again(&pool, 4, 2, 2);
        let other = spawn(|| {
            migrate(0);
            migrate(1);
        });
        pool.compact();
        other.join().unwrap();
        end(pool, moved.into_iter().chain(others));
    }

    /// The pool is destroyed when the last moved objects are gone, and a table may still be waiting for
    /// its grace period; somebody has a page.
    teardown_after_moves_against_migrate, 2,
    ["moved object freed", "table repacked", "migrated", "refused"], {
        let pool = Shared::new();
        let MovedObjects { moved, others } = sparse_table(&pool, 2);
        let other = spawn(move || {
            pool.compact();
            let objects = others.into_iter().chain(moved);
            objects.for_each(|object| pool.free(object));
            pool.destroy();
        });
        migrate(0);
        other.join().unwrap();
    }

    /// Compaction has no memory, whichever allocation it is that fails. Nothing is half moved, and with
    /// memory all goes on.
    compaction_without_memory, ALL,
    ["compaction without memory", "compacted", "moved again", "table repacked"], {
        type Setup = fn(&Shared) -> MovedObjects;
        let setups: [(Setup, usize); 4] = [
            (
                |pool| {
                    let [others, moved] = partly_filled(pool, QUARTER, [2, 2]);
                    MovedObjects { moved, others }
                },
                2,
            ),
            (|pool| to_be_moved_again(pool, 4, 2, 2), 1),
            (|pool| sparse_table(pool, 2), 1),
            (mixed, 2),
        ];
        for (setup, allocations) in setups {
            for fail in 0..=allocations {
                let pool = Shared::new();
                let MovedObjects { moved, others } = setup(&pool);
                let pages = pool.get().total_pages();
                world().faults.at(Some(fail));
                let before = world().faults.count();
                let freed = pool.compact();
                let made = world().faults.count() - before;
                world().faults.at(None);
                pool.check();
                assert_eq!(made > fail, fail < allocations, "{allocations} allocations");
                if fail < allocations {
                    assert_eq!((freed, pool.get().total_pages()), (0, pages), "half moved");
                    let again = pool.compact();
                    assert_eq!(pool.get().total_pages() + again, pages, "pages freed");
                }
                end(pool, moved.into_iter().chain(others));
            }
        }
    }

    /// The same while objects are mapped and freed.
    map_and_free_against_compaction_without_memory, ALL, ["compaction without memory"], {
        let pool = Shared::new();
        let [others, mut goes] = partly_filled(&pool, QUARTER, [2, 2]);
        world().faults.at(Some(1));
        let shared = pool.clone();
        let other = spawn(move || {
            shared.access(&goes[1], MapMode::ReadWrite);
            shared.free_last(&mut goes, 1);
            goes
        });
        pool.compact();
        let goes = other.join().unwrap();
        world().faults.at(None);
        end(pool, goes.into_iter().chain(others));
    }

    /// Two compactions: one of them has nothing to do.
    compact_against_compact, ALL, ["compacted"], {
        let pool = Shared::new();
        let (first, second) = two_halves(&pool);
        let shared = pool.clone();
        let other = spawn(move || shared.compact());
        let freed = pool.compact() + other.join().unwrap();
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

    /// An object is freed twice, and its slot has been given to one that was moved there.
    free_of_what_is_free_and_taken, ALL, ["compacted"], {
        let pool = Shared::new();
        let [mut others, mut moved] = partly_filled(&pool, HALF, [2, 2]);
        let goes = others.pop().expect("two objects");
        // SAFETY: That is what is tried.
        let again = unsafe { goes.copy() };
        pool.free(goes);
        pool.free_last(&mut moved, 1);
        pool.compact();
        assert!(moved.iter().all(Object::has_moved), "not moved");
        pool.free(again);
        assert_eq!(world().take_warnings(), ["free of what is not allocated"]);
        end(pool, moved.into_iter().chain(others));
    }

    /// Somebody has cleared the word of an anchor: it is neither followed nor freed.
    handle_without_object, ALL, [], {
        let pool = Shared::new();
        let object = pool.object(HALF, 1);
        let word = object.overwrite_anchor(0);
        assert!(pool.get().pin(object.handle(), rcu::read_lock().proof()).is_none());
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
