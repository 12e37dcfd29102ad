// SPDX-License-Identifier: GPL-2.0
/*
 * Debug builds only: module parameters that widen the windows of races, one
 * for each named point of delay.rs.  Up to as many microseconds as the
 * parameter says, at random, are spent there.
 */

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/random.h>

#include "shim.h"

#ifdef CONFIG_RUST_DEBUG_ASSERTIONS

#define DELAY_MAX_US	1000	/* some of the points are in atomic context */

static unsigned int delay_us[ZS_RS_DELAY_POINTS];

static int delay_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, 0, DELAY_MAX_US);
}

static const struct kernel_param_ops delay_ops = {
	.set = delay_set,
	.get = param_get_uint,
};

#define DELAY_PARAM(name, point, where)					\
	module_param_cb(delay_##name##_us, &delay_ops, &delay_us[point], 0644); \
	MODULE_PARM_DESC(delay_##name##_us, "Most microseconds to lose " where)

DELAY_PARAM(publish, ZS_RS_DELAY_PUBLISH,
	    "before a published zspage is listed");
DELAY_PARAM(unlisted, ZS_RS_DELAY_UNLISTED,
	    "before the pages of an unlisted zspage are freed");
DELAY_PARAM(private, ZS_RS_DELAY_PRIVATE,
	    "between clearing a page's private and dropping the page");
DELAY_PARAM(map, ZS_RS_DELAY_MAP,
	    "in map, between finding an object and locking its zspage");
DELAY_PARAM(free, ZS_RS_DELAY_FREE,
	    "in free, between reading the class and locking it");
DELAY_PARAM(migrate, ZS_RS_DELAY_MIGRATE,
	    "in migrate, between finding a zspage and locking its class");
DELAY_PARAM(callback, ZS_RS_DELAY_CALLBACK,
	    "after a grace period, before what waited for it is freed");

void zs_rs_delay(unsigned int point)
{
	unsigned int us;

	if (WARN_ON_ONCE(point >= ZS_RS_DELAY_POINTS))
		return;
	us = READ_ONCE(delay_us[point]);
	if (us)
		udelay(get_random_u32_below(us + 1));
}

#endif /* CONFIG_RUST_DEBUG_ASSERTIONS */
