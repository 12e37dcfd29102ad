// SPDX-License-Identifier: GPL-2.0

//! Atomics.
//!
//! Used in two ways only, which mean the same in the kernel's memory model and in Rust's: an acquire
//! load that sees a release store sees all that came before it, and relaxed counters that order
//! nothing.

pub(crate) use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A statistic: counts, and orders nothing.
pub(crate) struct Counter(AtomicUsize);

impl Counter {
    /// A counter at 0.
    pub(crate) const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Adds `n` and returns the sum.
    #[inline]
    pub(crate) fn add(&self, n: usize) -> usize {
        self.0.fetch_add(n, Ordering::Relaxed).wrapping_add(n)
    }

    /// Takes `n` away.
    #[inline]
    pub(crate) fn sub(&self, n: usize) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// Makes the value at least `n`.
    #[inline]
    pub(crate) fn raise_to(&self, n: usize) {
        if self.get() < n {
            self.0.fetch_max(n, Ordering::Relaxed);
        }
    }

    /// The value now.
    #[inline]
    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
