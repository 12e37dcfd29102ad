// SPDX-License-Identifier: GPL-2.0

//! Sections that are not preempted.
//!
//! C header: `include/linux/preempt.h`.

use super::bindings;
use core::marker::PhantomData;

/// This task is not preempted before the value is dropped. On `PREEMPT_RT`, where a spinlock must not
/// be taken with preemption off, it is all the same.
///
/// # Invariants
///
/// Between the making and the dropping of a value, preemption is off for this task (not on
/// `PREEMPT_RT`).
pub(crate) struct PreemptOff {
    // The section belongs to a task.
    _not_send: PhantomData<*mut ()>,
}

impl PreemptOff {
    /// Turns preemption off. May nest; any context.
    pub(crate) fn new() -> Self {
        // SAFETY: May be called in any context; `drop` undoes it.
        unsafe { bindings::zs_rs_preempt_off() };
        // INVARIANT: Just turned off.
        Self {
            _not_send: PhantomData,
        }
    }
}

impl Drop for PreemptOff {
    fn drop(&mut self) {
        // SAFETY: By the type invariant `new()` turned it off.
        unsafe { bindings::zs_rs_preempt_on() };
    }
}
