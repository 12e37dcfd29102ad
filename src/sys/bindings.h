/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What bindgen turns into src/sys/bindings_generated.rs (see Kbuild): the
 * tables that the kernel wants filled in, and the functions of our shim.
 */

#ifndef _ZSMALLOC_RS_BINDINGS_H
#define _ZSMALLOC_RS_BINDINGS_H

#include "hooks.h"
#include "shim.h"

#endif /* _ZSMALLOC_RS_BINDINGS_H */
