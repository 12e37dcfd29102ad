// SPDX-License-Identifier: GPL-2.0

//! Why an allocation fails.

use crate::sys::alloc::NoMemory;

/// Why [`Pool::malloc`](super::Pool::malloc) fails. Nothing is kept of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// An object of no size. `-EINVAL`, as `zs_malloc()`.
    Empty,
    /// An object larger than a page. `-ENOSPC`, as `zs_malloc()`.
    TooLarge,
    /// No memory for the object. `-ENOMEM`; normal under pressure, and quiet.
    NoMemory,
}

impl From<NoMemory> for Error {
    fn from(_: NoMemory) -> Self {
        Error::NoMemory
    }
}
