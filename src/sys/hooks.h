/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hooks with an enum among their arguments: see hooks.c.  zs_rs_hook_NAME() is
 * what goes into the kernel's table, zs_rs_NAME() is the function in Rust.
 */

#ifndef _ZSMALLOC_RS_HOOKS_H
#define _ZSMALLOC_RS_HOOKS_H

/* zpool.h does not stand alone. */
#include <linux/types.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/migrate.h>
#include <linux/zpool.h>

void *zs_rs_hook_map(void *pool, unsigned long handle, enum zpool_mapmode mode);
void *zs_rs_map(void *pool, unsigned long handle, enum zpool_mapmode mode);

int zs_rs_hook_migrate(struct page *dst, struct page *src,
		       enum migrate_mode mode);
int zs_rs_migrate(struct page *dst, struct page *src, enum migrate_mode mode);

#endif /* _ZSMALLOC_RS_HOOKS_H */
