// SPDX-License-Identifier: GPL-2.0

//! One input of a fuzzer: a byte string that is a sequence of operations.

use crate::{
    host::{world, World},
    sequence::{decode, Machine},
};

/// Runs an input. The first byte is the chain size and when callbacks run; the rest operations.
pub(crate) fn run(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else {
        return;
    };
    World::run(|| {
        if first & 0x80 != 0 {
            world().rcu.be_late();
        }
        Machine::new(4 + usize::from(first & 0x7f) % 13).run(&decode(rest));
    });
}
