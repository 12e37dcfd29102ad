// SPDX-License-Identifier: GPL-2.0
/*
 * The longest time that one call takes, and the 99.9th percentile.
 */
#include <linux/bitops.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/slab.h>

#include "bench.h"

/* Eight buckets a power of two: a percentile is right within 12 %. */
#define SUB_BITS	3
#define NR_BUCKETS	(64 << SUB_BITS)

struct histogram {
	u32 count[NR_BUCKETS];
	u64 total;
	u64 max;
};

/* Ticks of the fastest clock there is. */
static u64 ticks(void)
{
#ifdef CONFIG_X86
	u32 lo, hi;

	asm volatile("lfence; rdtsc; lfence" : "=a" (lo), "=d" (hi) : : "memory");
	return (u64)hi << 32 | lo;
#else
	return ktime_get_ns();
#endif
}

static void count(struct histogram *h, u64 spent)
{
	int log = spent ? ilog2(spent) : 0;
	int sub = log > SUB_BITS ? spent >> (log - SUB_BITS) : spent;

	h->count[log << SUB_BITS | (sub & ((1 << SUB_BITS) - 1))]++;
	h->total++;
	h->max = max(h->max, spent);
}

static u64 bucket_ticks(int bucket)
{
	int log = bucket >> SUB_BITS;
	u64 sub = bucket & ((1 << SUB_BITS) - 1);

	return log > SUB_BITS ? (1 << SUB_BITS | sub) << (log - SUB_BITS) : sub;
}

/* Ticks that not more than one call in @one_in takes longer than. */
static u64 percentile(struct histogram *h, u64 one_in)
{
	u64 above = 0;
	int i = NR_BUCKETS;

	while (i > 0 && above <= h->total / one_in)
		above += h->count[--i];
	return bucket_ticks(i);
}

static void one_call(struct zb_pool *pool, unsigned long i, bool free)
{
	unsigned long handle = pool->handles[i];

	if (free) {
		zpool_free(pool->zpool, handle);
		pool->handles[i] = 0;
	} else {
		zpool_map_handle(pool->zpool, handle, ZPOOL_MM_RO);
	}
}

/*
 * latency op=free|map: each call by itself, at random in a full pool, without
 * interrupts: their time is not the allocator's.
 */
static int time_each(struct zb_run *run, struct zb_pool *pool)
{
	bool free = !strcmp(zb_str(run, "op", "free"), "free");
	struct histogram *h = kzalloc(sizeof(*h), GFP_KERNEL);
	u64 t0 = ticks(), ns0 = ktime_get_ns(), t, dt, dns;
	unsigned long i, flags;

	if (!h)
		return -ENOMEM;
	for (i = 0; i < pool->nr; i++) {
		local_irq_save(flags);
		t = ticks();
		one_call(pool, pool->order[i], free);
		t = ticks() - t;
		local_irq_restore(flags);
		count(h, t);
		if (!free)
			zpool_unmap_handle(pool->zpool,
					   pool->handles[pool->order[i]]);
		if (!(i % 256))
			cond_resched();
	}
	dt = max(ticks() - t0, 1ULL);
	dns = ktime_get_ns() - ns0;
	zb_note(run, " p50=%llu p999=%llu max=%llu", percentile(h, 2) * dns / dt,
		percentile(h, 1000) * dns / dt, h->max * dns / dt);
	run->ns = dns;
	run->ops = pool->nr;
	kfree(h);
	return 0;
}

int zb_latency(struct zb_run *run)
{
	return zb_with_pool(run, 40000, true, time_each);
}
