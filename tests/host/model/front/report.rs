// SPDX-License-Identifier: GPL-2.0

//! What `src/front/migrate.rs` wants of the front end.

use crate::zsmalloc::Counters;

/// Counters of the module.
pub(crate) static TOTALS: Counters = Counters::new();
