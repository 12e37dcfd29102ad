// SPDX-License-Identifier: GPL-2.0
/*
 * How many ticks of the time stamp counter it takes to copy a page, in the ways
 * that zram does: read-only parameters, once the module is loaded.
 */
#include <linux/gfp.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

static ulong copy_page_ticks, memcpy_ticks;
module_param_named(copy_page, copy_page_ticks, ulong, 0444);
MODULE_PARM_DESC(copy_page, "Ticks of copy_page()");
module_param_named(memcpy, memcpy_ticks, ulong, 0444);
MODULE_PARM_DESC(memcpy, "Ticks of memcpy() of a page");

/* the compiler is not to see the size, as in zram */
static ulong size = PAGE_SIZE;
module_param(size, ulong, 0);
MODULE_PARM_DESC(size, "How much memcpy() copies");

/* as in init.c, and User Mode Linux has no get_cycles() */
static ulong ticks(void)
{
	u32 lo, hi;

	asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

static ulong nothing(void)
{
	ulong t = ticks();

	return ticks() - t;
}

static ulong by_copy_page(void *to, void *from)
{
	ulong t = ticks();

	copy_page(to, from);
	return ticks() - t;
}

static ulong by_memcpy(void *to, void *from)
{
	ulong t = ticks();

	memcpy(to, from, READ_ONCE(size));
	return ticks() - t;
}

static int __init copy_init(void)
{
	void *from = (void *)__get_free_page(GFP_KERNEL | __GFP_ZERO);
	void *to = (void *)__get_free_page(GFP_KERNEL | __GFP_ZERO);
	ulong empty = ULONG_MAX;
	int i, ret = -ENOMEM;

	if (!from || !to)
		goto out;

	copy_page_ticks = ULONG_MAX;
	memcpy_ticks = ULONG_MAX;
	for (i = 0; i < 100; i++) {
		empty = min(empty, nothing());
		copy_page_ticks = min(copy_page_ticks, by_copy_page(to, from));
		memcpy_ticks = min(memcpy_ticks, by_memcpy(to, from));
	}
	copy_page_ticks -= empty;
	memcpy_ticks -= empty;
	ret = 0;
out:
	free_page((ulong)from);
	free_page((ulong)to);
	return ret;
}

static void __exit copy_exit(void)
{
}

module_init(copy_init);
module_exit(copy_exit);

MODULE_DESCRIPTION("What it takes to copy a page");
MODULE_LICENSE("GPL");
