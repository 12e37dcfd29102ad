// SPDX-License-Identifier: GPL-2.0

//! Everything at once: threads that allocate, use and free objects of their own, while others compact
//! and migrate.

use crate::{
    front::map::MapMode,
    host::{frame, world},
    rt::spawn,
    scenario::{migrate, Object, Shared, HALF, HUGE, SPANNING},
    sys::page::Gfp,
};

/// Most objects of a thread.
const MOST: usize = 6;

/// A thread that uses objects: so many operations, chosen by `random`.
pub(crate) fn user(
    pool: &Shared,
    operations: usize,
    objects: &mut Vec<Object>,
    random: &mut impl FnMut(usize) -> usize,
) {
    for number in 0..operations {
        if objects.is_empty() || (objects.len() < MOST && random(3) == 0) {
            let size = [HALF, HUGE, SPANNING, 1000][random(4)];
            objects.push(pool.object(size, number as u8));
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
        if random(5) == 0 {
            pool.get().compact(Gfp::of_compaction());
        } else if frame::frames() > 0 {
            migrate(random(frame::frames()));
        }
    }
}

/// One storm, on threads of a model.
pub(crate) fn small(users: usize, operations: usize, unload: bool, random: fn(usize) -> usize) {
    let pool = Shared::new();
    let threads: Vec<_> = (0..users)
        .map(|_| {
            let pool = pool.clone();
            spawn(move || {
                let mut objects = Vec::new();
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
