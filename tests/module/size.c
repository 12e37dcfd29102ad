// SPDX-License-Identifier: GPL-2.0
/*
 * Sizes of objects: several distributions, all of them reproducible from a
 * seed.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/string.h>

#include "zpool_test.h"

static const char * const zt_dists[] = {
	"all", "uniform", "small", "huge", "compressed", "one",
};

int zt_dist_check(struct zt_run *run, const char *dist)
{
	if (match_string(zt_dists, ARRAY_SIZE(zt_dists), dist) < 0)
		return zt_fail(run, "no distribution %s", dist);
	return 0;
}

unsigned long zt_random(struct rnd_state *rnd, unsigned long below)
{
	return ((u64)prandom_u32_state(rnd) * below) >> 32;
}

/* A size in (from, to], both in hundredths of a page. */
static u32 zt_between(struct rnd_state *rnd, u32 from, u32 to)
{
	return (PAGE_SIZE * from + zt_random(rnd, PAGE_SIZE * (to - from))) /
	       100 + 1;
}

/*
 * What a compressor makes of anonymous memory: a tenth is nearly nothing,
 * half compresses to a third, the rest poorly, one page in twenty hardly.
 */
static u32 zt_compressed(struct rnd_state *rnd)
{
	u32 chance = zt_random(rnd, 100);

	if (chance < 10)
		return zt_between(rnd, 0, 3);
	if (chance < 60)
		return zt_between(rnd, 15, 40);
	if (chance < 95)
		return zt_between(rnd, 40, 75);
	return zt_between(rnd, 75, 99);
}

/*
 * C zsmalloc adds 8 bytes of its own to each object: a size that is 8 less goes
 * to the class there that the size itself goes to without them.
 */
u32 zt_less(u32 size, unsigned long less)
{
	return size > less ? size - less : 1;
}

u32 zt_dist_size(const char *dist, struct rnd_state *rnd, unsigned long i,
		 u32 fixed)
{
	switch (dist[0]) {
	case 'a':
		return 1 + i * fixed % PAGE_SIZE;
	case 's':
		return 1 + zt_random(rnd, PAGE_SIZE / 16);
	case 'h':
		return PAGE_SIZE - zt_random(rnd, PAGE_SIZE / 8);
	case 'c':
		return zt_compressed(rnd);
	case 'o':
		return fixed;
	default:
		return 1 + zt_random(rnd, PAGE_SIZE);
	}
}
