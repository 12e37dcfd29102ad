// SPDX-License-Identifier: GPL-2.0

//! A few sequences of operations, short enough for Miri: `run-miri`. Like any test they also run
//! without it.

use crate::{
    host::{world, World},
    sequence::{Machine, Op},
    sys::page::PAGE_SIZE,
};
use std::collections::BTreeSet;

/// Eight to a page: two of them or more that move with one anchor have a table.
const SMALL: usize = PAGE_SIZE / 8;

/// Two to a page; spanning pages; a page by itself.
const SIZES: [usize; 3] = [PAGE_SIZE / 2 - 8, PAGE_SIZE / 4 * 3 - 8, PAGE_SIZE];

/// Runs operations, with the integrity check at the end only: it looks at every class. Returns what
/// happened.
fn run(late: bool, ops: &[Op]) -> BTreeSet<&'static str> {
    World::run(|| {
        if late {
            world().rcu.be_late();
        }
        let mut machine = Machine::new(4);
        for op in ops {
            machine.apply(op);
        }
        machine.finish();
        world().seen()
    })
}

#[test]
fn objects_are_written_and_read() {
    for size in SIZES {
        let mut ops = vec![Op::Malloc { size, count: 3 }];
        ops.extend((0..3).map(|mode| Op::Map { object: 1, mode }));
        ops.extend([
            Op::Hold { object: 0, cpu: 0 },
            Op::Free { object: 2 },
            Op::LetGo { cpu: 0 },
        ]);
        run(size == PAGE_SIZE, &ops);
    }
}

#[test]
fn objects_move() {
    let [size, ..] = SIZES;
    run(
        true,
        &[
            Op::Malloc { size, count: 6 },
            Op::FreeEvery { n: 2 },
            Op::Compact,
            Op::Map { object: 0, mode: 0 },
            Op::Softirq,
        ],
    );
}

/// Objects move and have a table, which is made smaller; they move once more; compaction has no memory
/// for origins, or for a table.
#[test]
fn objects_move_again() {
    let seen = run(
        true,
        &[
            Op::Malloc {
                size: SMALL,
                count: 24,
            },
            Op::FreeEvery { n: 2 },
            Op::CompactFails { fail: 1 },
            Op::Compact,
            Op::Map { object: 0, mode: 0 },
            Op::FreeEvery { n: 2 },
            Op::Hold { object: 1, cpu: 0 },
            Op::Compact,
            Op::LetGo { cpu: 0 },
            Op::Malloc {
                size: SMALL,
                count: 8,
            },
            Op::FreeEvery { n: 2 },
            Op::CompactFails { fail: 0 },
            Op::Compact,
            Op::Map { object: 0, mode: 0 },
            Op::FreeEvery { n: 3 },
            Op::Compact,
        ],
    );
    for what in [
        "compaction without memory",
        "moved again",
        "moved object freed",
        "moved object mapped",
        "table repacked",
    ] {
        assert!(seen.contains(what), "never seen: {what}; seen: {seen:?}");
    }
}

#[test]
fn pages_move_and_are_freed_while_isolated() {
    let [_, size, _] = SIZES;
    run(
        false,
        &[
            Op::Malloc { size, count: 2 },
            Op::MigrateAll,
            Op::Map { object: 1, mode: 0 },
            Op::Isolate { frame: 3 },
            Op::Reader,
            Op::FreeEvery { n: 1 },
            Op::Migrate { isolated: 0 },
            Op::Reader,
        ],
    );
}

#[test]
fn a_failed_allocation_is_undone() {
    let [_, size, _] = SIZES;
    for fail in 0..4 {
        run(false, &[Op::MallocFails { size, fail }]);
    }
}
