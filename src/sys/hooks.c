// SPDX-License-Identifier: GPL-2.0
/*
 * Hooks with an enum among their arguments.
 *
 * The kernel calls hooks through pointers.  With CONFIG_CFI_CLANG such a call
 * traps unless the types of pointer and function are the same, and an enum is a
 * type of its own there.  Bindgen knows it as u32, so that no function in Rust
 * can have these types.  The calls below are direct ones, which nobody checks.
 */

#include "hooks.h"

void *zs_rs_hook_map(void *pool, unsigned long handle, enum zpool_mapmode mode)
{
	return zs_rs_map(pool, handle, mode);
}

int zs_rs_hook_migrate(struct page *dst, struct page *src,
		       enum migrate_mode mode)
{
	return zs_rs_migrate(dst, src, mode);
}
