// SPDX-License-Identifier: GPL-2.0

//! What `src/front/migrate.rs` wants of the front end.

use crate::zsmalloc::PoolStats;

/// Counters of the module.
pub(crate) static TOTALS: PoolStats = PoolStats::new();
