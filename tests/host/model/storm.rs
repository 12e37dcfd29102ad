// SPDX-License-Identifier: GPL-2.0

//! Everything at once: threads that allocate, use and free objects of their own, while others compact
//! and migrate.

use crate::{
    front::map::MapMode,
    host::{frame, world},
    rt::spawn,
    scenario::{
        migrate, sparse_table, to_be_moved_again, MovedObjects, Object, Shared, HALF, HUGE,
        QUARTER, SPANNING,
    },
};

/// Most objects of a thread.
const MOST: usize = 8;

/// Their sizes: mostly one of which compaction finds several zspages that are partly filled.
const SIZES: [usize; 6] = [QUARTER, QUARTER, QUARTER, HALF, SPANNING, HUGE];

/// A thread that uses objects: so many operations, chosen by `random`.
pub(crate) fn user(
    pool: &Shared,
    operations: usize,
    objects: &mut Vec<Object>,
    random: &mut impl FnMut(usize) -> usize,
) {
    for number in 0..operations {
        if objects.is_empty() || (objects.len() < MOST && random(5) < 2) {
            objects.push(pool.object(SIZES[random(SIZES.len())], number as u8));
            continue;
        }
        let which = random(objects.len());
        match random(4) {
            0 => pool.free(objects.swap_remove(which)),
            1 => pool.access(&objects[which], MapMode::ReadOnly),
            2 => pool.access(&objects[which], MapMode::WriteOnly),
            _ => pool.access(&objects[which], MapMode::ReadWrite),
        }
    }
}

/// A thread that moves things: so many operations.
pub(crate) fn mover(pool: &Shared, operations: usize, random: &mut impl FnMut(usize) -> usize) {
    for _ in 0..operations {
        if random(2) == 0 {
            pool.compact();
        } else if frame::frames() > 0 {
            migrate(random(frame::frames()));
        }
    }
}

/// One storm, on threads of a model.
pub(crate) fn small(users: usize, operations: usize, unload: bool, random: fn(usize) -> usize) {
    let start = (0..users).map(|_| Vec::new()).collect();
    run(Shared::new(), start, operations, unload, random);
}

/// The same, with objects that have moved: some are about to move again, others have a table that is
/// about to be made smaller.
pub(crate) fn of_moved(users: usize, operations: usize, random: fn(usize) -> usize) {
    let pool = Shared::new();
    let mut start: Vec<_> = (0..users).map(|_| Vec::new()).collect();
    for MovedObjects { moved, others } in
        [sparse_table(&pool, 2), to_be_moved_again(&pool, 4, 2, 2)]
    {
        for (number, object) in moved.into_iter().chain(others).enumerate() {
            start[number % users].push(object);
        }
    }
    run(pool, start, operations, false, random);
}

/// Threads that have these objects at the start.
fn run(
    pool: Shared,
    start: Vec<Vec<Object>>,
    operations: usize,
    unload: bool,
    random: fn(usize) -> usize,
) {
    let threads: Vec<_> = start
        .into_iter()
        .map(|mut objects| {
            let pool = pool.clone();
            spawn(move || {
                user(&pool, operations, &mut objects, &mut { random });
                objects
            })
        })
        .collect();
    let shared = pool.clone();
    let mover = spawn(move || mover(&shared, operations, &mut { random }));
    for _ in 0..3 {
        world().rcu.run_ripe();
    }

    let objects: Vec<_> = threads
        .into_iter()
        .flat_map(|thread| thread.join().expect("a thread failed"))
        .collect();
    if !unload {
        mover.join().expect("a thread failed");
        pool.check();
        objects
            .into_iter()
            .for_each(|object| pool.read_and_free(object));
        pool.destroy();
        return;
    }
    // Migration goes on, compaction cannot: it is the pool's.
    mover.join().expect("a thread failed");
    let late = spawn(move || (0..frame::frames()).for_each(migrate));
    objects
        .into_iter()
        .for_each(|object| pool.read_and_free(object));
    pool.destroy();
    crate::scenario::unload();
    late.join().expect("a thread failed");
}
