// SPDX-License-Identifier: GPL-2.0

//! Random sequences of operations, for every chain size; and every allocation fails once.

use crate::{
    host::{world, World},
    sequence::{Machine, Op, SIZES},
    sys::page::{Gfp, PAGE_SIZE},
    zsmalloc::{Error, Event, Pool},
};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{cell::RefCell, collections::BTreeSet};

/// The chain sizes that the module takes.
const CHAIN_SIZES: std::ops::RangeInclusive<usize> = 4..=16;

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => prop::sample::select(&SIZES[..]),
        1 => 0..=PAGE_SIZE + 1,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let any = || 0..1000_usize;
    prop_oneof![
        6 => (size(), 0..24_usize).prop_map(|(size, count)| Op::Malloc { size, count }),
        3 => (size(), 0..20_usize).prop_map(|(size, fail)| Op::MallocFails { size, fail }),
        5 => any().prop_map(|object| Op::Free { object }),
        3 => (1..8_usize).prop_map(|n| Op::FreeEvery { n }),
        3 => (any(), 0..3_usize).prop_map(|(object, mode)| Op::Map { object, mode }),
        2 => (any(), 0..3_usize).prop_map(|(object, cpu)| Op::Hold { object, cpu }),
        2 => (0..3_usize).prop_map(|cpu| Op::LetGo { cpu }),
        3 => Just(Op::Compact),
        1 => (0..6_usize).prop_map(|fail| Op::CompactFails { fail }),
        4 => any().prop_map(|frame| Op::Isolate { frame }),
        4 => any().prop_map(|isolated| Op::Migrate { isolated }),
        1 => any().prop_map(|isolated| Op::MigrateFails { isolated }),
        2 => any().prop_map(|isolated| Op::PutBack { isolated }),
        1 => Just(Op::MigrateAll),
        1 => Just(Op::Reader),
        1 => Just(Op::Softirq),
    ]
}

/// Sizes of which several are in a page.
const SMALL: [usize; 4] = [PAGE_SIZE / 64, PAGE_SIZE / 8, PAGE_SIZE / 5, PAGE_SIZE / 3];

/// What makes zspages that are partly filled, of which compaction empties some, again and again.
fn churn() -> impl Strategy<Value = Vec<Op>> {
    let round = (2..5_usize, 0..60_usize, 0..9_usize);
    (prop::sample::select(&SMALL[..]), vec(round, 1..4)).prop_map(|(size, rounds)| {
        let start = Op::Malloc { size, count: 90 };
        let rounds = rounds.into_iter().flat_map(|(n, count, fail)| {
            let compact = if fail < 4 {
                Op::CompactFails { fail }
            } else {
                Op::Compact
            };
            [Op::FreeEvery { n }, compact, Op::Malloc { size, count }]
        });
        [start].into_iter().chain(rounds).collect()
    })
}

/// A sequence of operations.
fn ops() -> impl Strategy<Value = Vec<Op>> {
    let part = prop_oneof![
        20 => op().prop_map(|op| vec![op]),
        1 => churn(),
    ];
    vec(part, 1..60).prop_map(|parts| parts.concat())
}

/// How many sequences for each chain size: `ZSM_CASES`, or a few.
fn cases() -> u32 {
    std::env::var("ZSM_CASES")
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(if PAGE_SIZE > 4096 { 12 } else { 40 })
}

/// A generator of sequences: `ZSM_SEED` changes them.
fn runner(chain_size: usize) -> TestRunner {
    let seed: u64 = std::env::var("ZSM_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let mut bytes = [chain_size as u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(
        Config {
            cases: cases(),
            failure_persistence: None,
            ..Config::default()
        },
        TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
    )
}

#[test]
fn sequences_agree_with_the_reference() {
    let seen = RefCell::new(BTreeSet::new());
    for chain_size in CHAIN_SIZES {
        let result = runner(chain_size).run(&(ops(), any::<bool>()), |(ops, late)| {
            World::run(|| {
                if late {
                    world().rcu.be_late();
                }
                Machine::new(chain_size).run(&ops);
                seen.borrow_mut().extend(world().seen());
            });
            Ok(())
        });
        if let Err(error) = result {
            panic!("chain size {chain_size}: {error}");
        }
    }
    let seen = seen.into_inner();
    for what in [
        "busy",
        "compacted",
        "compaction skipped",
        "compaction without memory",
        "freed while isolated",
        "migrated",
        "moved again",
        "moved object freed",
        "moved object mapped",
        "raced free",
        "table repacked",
    ] {
        assert!(seen.contains(what), "never seen: {what}; seen: {seen:?}");
    }
}

/// What is shrunk is small: a sequence that must fail is cut down to what makes it fail.
#[test]
fn failing_sequences_are_shrunk() {
    let failure = runner(8).run(&vec(op(), 1..60), |ops| {
        let long = ops
            .iter()
            .any(|op| matches!(op, Op::Malloc { count, .. } if *count > 10));
        prop_assert!(!long);
        Ok(())
    });
    match failure {
        Err(proptest::test_runner::TestError::Fail(_, ops)) => {
            assert!(matches!(ops[..], [Op::Malloc { count: 11, .. }]), "{ops:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// The creation of a pool, and a malloc of every kind, with every single allocation failing in turn.
#[test]
fn every_allocation_fails_once() {
    for chain_size in CHAIN_SIZES {
        for size in SIZES {
            let mut fail = 0;
            while World::run(|| fails_at(chain_size, size, fail)) {
                fail += 1;
            }
            assert!(fail > 5, "only {fail} allocations");
        }
    }
}

/// Whether there was an allocation number `fail`.
fn fails_at(chain_size: usize, size: usize, fail: usize) -> bool {
    world().faults.at(Some(fail));
    let pool = match Pool::new(c"host", chain_size) {
        Ok(pool) => pool,
        Err(_) => return true,
    };
    let failed = match pool.malloc(size, Gfp::from_raw(0)) {
        Ok(handle) => {
            pool.free(handle);
            false
        }
        Err(error) => {
            assert_eq!(error, Error::NoMemory);
            true
        }
    };
    assert!(pool.check().is_ok());
    assert_eq!(pool.total_pages(), 0, "pages of an attempt that failed");
    assert!(Pool::destroy(pool, ()).is_ok());
    failed
}

/// Compaction of what has not moved, and of what has, with every single allocation failing in turn.
#[test]
fn every_allocation_of_compaction_fails_once() {
    for chain_size in CHAIN_SIZES.step_by(4) {
        // Of the smallest there may be more in a zspage than a machine has.
        for size in SMALL.into_iter().skip(1) {
            let fails = |fail| {
                World::run(|| {
                    let mut machine = Machine::new(chain_size);
                    let mut failures = 0;
                    machine.apply(&Op::Malloc { size, count: 300 });
                    for n in [2, 3, 2, 2] {
                        machine.apply(&Op::FreeEvery { n });
                        machine.apply(&Op::CompactFails { fail });
                        machine.check();
                        failures = machine.pool().stats().get(Event::CompactNoMemory);
                        machine.apply(&Op::Compact);
                        machine.check();
                        machine.apply(&Op::Malloc { size, count: 20 });
                    }
                    machine.finish();
                    failures
                })
            };
            let failed = (0..50).take_while(|&fail| fails(fail) > 0).count();
            assert!(
                (1..50).contains(&failed),
                "{chain_size} {size}: {failed} allocations"
            );
        }
    }
}

/// With memory for nothing more, what is there can still be read, freed and compacted.
#[test]
fn exhausted_memory_is_survived() {
    for chain_size in CHAIN_SIZES {
        for size in SIZES {
            World::run(|| {
                let mut machine = Machine::new(chain_size);
                machine.apply(&Op::Malloc { size, count: 23 });
                world().faults.after(0);
                for op in [
                    Op::Map { object: 0, mode: 0 },
                    Op::FreeEvery { n: 2 },
                    Op::Compact,
                    Op::Free { object: 0 },
                ] {
                    machine.apply(&op);
                    machine.check();
                }
                // What is there may have room; more there is not.
                while machine.malloc(size).is_ok() {
                    machine.check();
                }
                machine.finish();
            });
        }
    }
}

/// Sizes that are no object's.
#[test]
fn sizes_out_of_range_are_refused() {
    World::run(|| {
        let machine = Machine::new(8);
        for (size, error) in [
            (0, Error::Empty),
            (PAGE_SIZE + 1, Error::TooLarge),
            (usize::MAX, Error::TooLarge),
        ] {
            let refused = machine.pool().malloc(size, Gfp::from_raw(0));
            assert_eq!(refused.err(), Some(error), "{size}");
        }
        machine.check();
        machine.finish();
    });
}

/// Figures are read without a lock: reclaim asks for them each time that it wants memory.
#[test]
fn figures_take_no_lock() {
    World::run(|| {
        let mut machine = Machine::new(8);
        machine.apply(&Op::Malloc {
            size: 100,
            count: 23,
        });
        let pool = machine.pool();
        let guards = pool.classes().iter().map(|class| {
            // Waiting for a second one would be a lock of the wrong order.
            let guard = class.lock();
            let figures = (pool.freeable(), pool.objects(), pool.zspages());
            drop(guard);
            figures
        });
        assert!(guards.into_iter().all(|figures| figures == (0, 23, 1)));
        machine.finish();
    });
}

/// What all processors share is written once or twice in a zspage's birth, twice in its death and once
/// when its grace period is over, whatever its number of pages; and not at all otherwise.
#[test]
fn shared_counters_are_written_seldom() {
    World::run(|| {
        world().rcu.be_late();
        let pool = Pool::new(c"host", 16).expect("no memory");
        for size in SIZES {
            let writes = |what: &dyn Fn()| {
                let before = world().counter_writes();
                what();
                world().counter_writes() - before
            };
            let malloc = || pool.malloc(size, Gfp::from_raw(0)).expect("no memory");
            let handle = RefCell::new(None);
            assert!(
                writes(&|| *handle.borrow_mut() = Some(malloc())) <= 2,
                "birth"
            );
            let handle = handle.take().expect("just allocated");
            // The peak has been reached by then.
            pool.free(malloc());
            pool.free(handle);
            world().rcu.run_ripe();

            let first = malloc();
            if pool.classes().iter().any(|class| {
                class.spec().index() == pool.class_index(size) && class.spec().objects() > 1
            }) {
                assert_eq!(
                    writes(&|| pool.free(malloc())),
                    0,
                    "neither birth nor death"
                );
            }
            let first = RefCell::new(Some(first));
            let death = writes(&|| pool.free(first.take().expect("allocated")));
            assert!(death <= 2, "death: {death}");
            assert!(writes(&|| world().rcu.run_ripe()) <= 1, "grace period");
        }
        assert!(Pool::destroy(pool, ()).is_ok());
    });
}

/// A pool that is destroyed with objects in it says how many, and keeps them.
#[test]
fn objects_outlive_a_pool_that_is_destroyed() {
    World::run(|| {
        let pool = Pool::new(c"host", 8).expect("no memory");
        let handles: Vec<_> = [100, 1000, PAGE_SIZE]
            .into_iter()
            .map(|size| pool.malloc(size, Gfp::from_raw(0)).expect("no memory"))
            .collect();
        let raw = std::ptr::from_ref(&*pool).cast_mut();
        let left = Pool::destroy(pool, ()).expect_err("there are objects in it");
        assert_eq!(left.objects, handles.len());

        // Still there: so that the test itself leaks nothing.
        // SAFETY: Leaked by `destroy()`, and nobody else has it.
        let pool = unsafe { crate::sys::alloc::Box::from_raw(raw) };
        for handle in handles {
            pool.free(handle);
        }
        assert!(Pool::destroy(pool, ()).is_ok());
    });
}
