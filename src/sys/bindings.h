/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen turns into src/sys/bindings_generated.rs (see Kbuild): the
 * tables that the kernel wants filled in, and the functions of our shim.
 */

#ifndef _ZSMALLOC_RS_BINDINGS_H
#define _ZSMALLOC_RS_BINDINGS_H

/* zpool.h does not stand alone. */
#include <linux/types.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/migrate.h>
#include <linux/zpool.h>

#include "shim.h"

#endif /* _ZSMALLOC_RS_BINDINGS_H */
