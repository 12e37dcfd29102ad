// SPDX-License-Identifier: GPL-2.0

//! Running a model in many orders, and seeing that they come to all they should.

use crate::{
    host::{world, World},
    rt,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Explores a model on machines of their own, and panics unless each of `wanted` was seen to happen
/// in some order. What `limit` limits, the
/// preemptions or the orders, is up to the model checker.
pub(crate) fn explore(limit: usize, wanted: &[&str], model: impl Fn() + Send + Sync + 'static) {
    let seen = Arc::new(Mutex::new(BTreeMap::<_, usize>::new()));
    let tally = seen.clone();
    rt::explore(limit, move || {
        World::run(|| {
            model();
            let mut tally = tally.lock().expect("not poisoned");
            *tally.entry("orders").or_default() += 1;
            for what in world().seen() {
                *tally.entry(what).or_default() += 1;
            }
        });
    });
    let seen = seen.lock().expect("not poisoned");
    println!("{seen:?}");
    for what in wanted {
        assert!(
            seen.contains_key(what),
            "never seen: {what}; seen: {seen:?}"
        );
    }
}
