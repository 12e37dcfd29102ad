// SPDX-License-Identifier: GPL-2.0

//! Threads of the host, for a while. By itself this finds little; under a thread sanitizer it shows
//! what the locks and atomics of the allocator leave unordered (README.rst).

#[path = "../model/front/mod.rs"]
mod front;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../model/rt/threads.rs"]
mod rt;
#[path = "../model/scenario.rs"]
mod scenario;
#[path = "../model/storm.rs"]
mod storm;
#[path = "../model/sys/mod.rs"]
mod sys;
#[allow(unused_imports)]
#[path = "../../../src/zsmalloc/mod.rs"]
mod zsmalloc;

use host::{world, World};
use scenario::{unload, Shared};
use std::{
    sync::{
        atomic::{AtomicBool, Ordering},
        Arc,
    },
    time::{Duration, Instant},
};

#[link(name = "zsm_c", kind = "static")]
unsafe extern "C" {}

/// log2 of the page size.
const PAGE_SHIFT: usize = 12;

/// How long: `ZSM_SECONDS`, or a little.
fn duration() -> Duration {
    let seconds = std::env::var("ZSM_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// What has to be seen.
const WANTED: [&str; 5] = [
    "migrated",
    "compacted",
    "refused",
    "moved again",
    "moved object freed",
];

/// Whether the time is over and all was seen, or not even in minutes: beside guests the threads may
/// have next to nothing of the processors.
fn is_over(pool: &Shared, end: Instant) -> bool {
    let late = Instant::now().checked_duration_since(end);
    late.is_some_and(|late| {
        pool.note();
        let seen = world().seen();
        late > Duration::from_secs(300) || WANTED.iter().all(|what| seen.contains(what))
    })
}

/// A generator of numbers for one thread.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |limit| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % limit
    }
}

#[test]
fn storm() {
    World::run(|| {
        let pool = Shared::new();
        let end = Instant::now() + duration();
        let over = Arc::new(AtomicBool::new(false));

        let users: Vec<_> = (0..3)
            .map(|seed| {
                let pool = pool.clone();
                rt::spawn(move || {
                    let (mut objects, mut random) = (Vec::new(), random(seed + 1));
                    while !is_over(&pool, end) {
                        storm::user(&pool, 64, &mut objects, &mut random);
                    }
                    objects
                        .into_iter()
                        .for_each(|object| pool.read_and_free(object));
                })
            })
            .collect();
        let movers: Vec<_> = (10..12)
            .map(|seed| {
                let pool = pool.clone();
                rt::spawn(move || {
                    let mut random = random(seed);
                    while !is_over(&pool, end) {
                        storm::mover(&pool, 16, &mut random);
                    }
                })
            })
            .collect();
        let stop = over.clone();
        let softirq = rt::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                world().rcu.run_ripe();
                std::thread::yield_now();
            }
        });

        for thread in users.into_iter().chain(movers) {
            thread.join().expect("a thread failed");
        }
        over.store(true, Ordering::Relaxed);
        softirq.join().expect("a thread failed");
        pool.check();
        pool.destroy();
        unload();
        let seen = world().seen();
        println!("{seen:?}");
        for what in WANTED {
            assert!(seen.contains(what), "never seen: {what}; seen: {seen:?}");
        }
    });
}
