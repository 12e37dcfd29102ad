// SPDX-License-Identifier: GPL-2.0

//! Sections that are not preempted: only that they are where they should be is checked.

use crate::host::context;
use std::marker::PhantomData;

/// Preemption is off.
pub(crate) struct PreemptOff {
    _not_send: PhantomData<*mut ()>,
}

impl PreemptOff {
    pub(crate) fn new() -> Self {
        context::preempt_off();
        Self {
            _not_send: PhantomData,
        }
    }
}

impl Drop for PreemptOff {
    fn drop(&mut self) {
        context::preempt_on();
    }
}
