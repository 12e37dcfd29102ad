// SPDX-License-Identifier: GPL-2.0
/*
 * The version of the module, for modinfo and the kernel's log.  The module!
 * macro of Linux 6.12 has no field for it.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/printk.h>
#include <linux/utsname.h>

#include "shim.h"
/* A hash of all sources: it makes srcversion change with each of them. */
#include "sources_generated.h"

MODULE_VERSION(ZS_RS_VERSION);

void zs_rs_log_version(void)
{
	pr_info("version " ZS_RS_VERSION " on Linux %s\n",
		init_utsname()->release);
}
