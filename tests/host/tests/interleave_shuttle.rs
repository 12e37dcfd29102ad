// SPDX-License-Identifier: GPL-2.0

//! More threads and objects than all orders of can be run: random orders.

#[path = "../model/explore.rs"]
mod explore;
#[path = "../model/front/mod.rs"]
mod front;
#[path = "../model/host/mod.rs"]
mod host;
#[path = "../model/rt/shuttle.rs"]
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

use explore::explore;
use host::world;

#[link(name = "zsm_c", kind = "static")]
unsafe extern "C" {}

/// log2 of the page size.
const PAGE_SHIFT: usize = 12;

/// How many orders are tried: `ZSM_ORDERS`, or a few.
fn orders() -> usize {
    std::env::var("ZSM_ORDERS")
        .ok()
        .and_then(|orders| orders.parse().ok())
        .unwrap_or(1500)
}

#[test]
fn storm() {
    explore(
        orders(),
        &["migrated", "busy", "refused", "compacted", "raced free"],
        || storm::small(3, 16, false, rt::random),
    );
}

#[test]
fn storm_with_late_callbacks() {
    explore(orders(), &["migrated", "refused", "compacted"], || {
        world().rcu.be_late();
        storm::small(3, 8, false, rt::random);
    });
}

#[test]
fn storm_with_moved_objects() {
    let wanted = ["moved again", "moved object freed", "table repacked"];
    for late in [false, true] {
        explore(orders() / 2, &wanted, move || {
            if late {
                world().rcu.be_late();
            }
            storm::of_moved(3, 8, rt::random);
        });
    }
}

#[test]
fn storm_and_unload() {
    explore(orders(), &["migrated", "refused", "raced free"], || {
        storm::small(2, 6, true, rt::random);
    });
}
