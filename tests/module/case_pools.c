// SPDX-License-Identifier: GPL-2.0
/*
 * Several pools at once, pools that come and go, one whose zspages do, and one
 * that is destroyed by another processor than the one that emptied it.
 */
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/workqueue.h>

#include "zpool_test.h"

#define ZT_MAX_POOLS	8

/* Pools are filled in turns, so that their pages lie mixed up in memory. */
static int zt_pools_fill(struct zt_store *stores, unsigned int nr,
			 struct zt_ctx *ctx)
{
	unsigned long i;
	unsigned int p;
	u32 size;
	int ret;

	for (i = 0; i < stores[0].nr; i++) {
		for (p = 0; p < nr; p++) {
			size = zt_dist_size("uniform", &ctx->rnd, i, 0);
			ret = zt_obj_new(&stores[p], ctx, i, size);
			if (ret)
				return zt_fail(ctx->run, "pool %u, size %u: error %d",
					       p, size, ret);
		}
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	return 0;
}

/* Empty and destroy one pool: those that are left must not notice. */
static int zt_pools_destroy(struct zt_store *stores, unsigned int nr,
			    struct zt_ctx *ctx)
{
	unsigned int p, q;
	int ret = 0;

	for (p = 0; p < nr && !ret; p++) {
		ret = zt_store_empty(&stores[p], ctx);
		zt_store_exit(&stores[p]);
		for (q = p + 1; q < nr && !ret; q++)
			ret = zt_store_verify(&stores[q], ctx);
	}
	return ret;
}

static int zt_pools_round(struct zt_store *stores, unsigned int nr,
			  struct zt_ctx *ctx)
{
	const char *type = zt_str(ctx->run, "type", "zsmalloc_rs");
	unsigned long count = max(zt_num(ctx->run, "count", 500), 1UL);
	char name[16];
	unsigned int p;
	int ret = 0;

	for (p = 0; p < nr && !ret; p++) {
		snprintf(name, sizeof(name), "zt-pool%u", p);
		ret = zt_store_init(&stores[p], ctx->run, type, name, count);
		/* Same numbers in every pool, but not the same content. */
		stores[p].seed += p << 16;
	}
	if (!ret)
		ret = zt_pools_fill(stores, nr, ctx);
	if (!ret)
		ret = zt_pools_destroy(stores, nr, ctx);
	for (p = 0; p < nr; p++)
		zt_store_exit(&stores[p]);
	return ret;
}

/* pools type= pools= rounds= count= seed= settle= */
int zt_case_pools(struct zt_run *run)
{
	unsigned int nr = clamp(zt_num(run, "pools", 4), 1UL,
				(unsigned long)ZT_MAX_POOLS);
	unsigned long rounds = zt_num(run, "rounds", 5);
	struct zt_store stores[ZT_MAX_POOLS] = {};
	struct zt_ctx ctx;
	int ret;

	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	while (!ret && rounds--)
		ret = zt_pools_round(stores, nr, &ctx);
	zt_ctx_exit(&ctx);
	return ret;
}

/*
 * The most zspages in the least time: each object has one to itself, and is
 * freed as soon as it is there.  Whatever waits for a grace period piles up
 * while the pool hardly has a page.
 */
static int zt_churn(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned long end = jiffies + msecs_to_jiffies(zt_num(ctx->run, "ms", 1000));
	unsigned long handle, rounds = 0;
	int ret;

	while (time_before(jiffies, end)) {
		ret = zpool_malloc(store->zpool, PAGE_SIZE, store->gfp, &handle);
		if (ret)
			return zt_fail(ctx->run, "error %d", ret);
		zpool_free(store->zpool, handle);
		rounds++;
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	zt_note(ctx->run, "zspages %lu", rounds);
	return zt_store_empty(store, ctx);
}

/* churn type= name= ms= settle= */
int zt_case_churn(struct zt_run *run)
{
	return zt_with_store(run, zt_str(run, "name", "zt-churn"), 1, zt_churn);
}

static long zt_free_here(void *store)
{
	zt_store_free_all(store);
	return 0;
}

/* Objects of a page each, so that there are as many zspages. */
static int zt_handover_round(struct zt_store *store, struct zt_ctx *ctx)
{
	unsigned int cpu;
	int ret;

	ret = zt_store_fill(store, ctx, "one", PAGE_SIZE);
	if (ret)
		return ret;
	cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());
	if (cpu >= nr_cpu_ids)
		return zt_skip(ctx->run, "needs two CPUs");
	return work_on_cpu_safe(cpu, zt_free_here, store);
}

/*
 * One processor frees all, another destroys the pool at once.  A grace period is
 * over when all have been seen; the callbacks that wait for it are called by the
 * processor that queued them, a few at a time, and so later.
 *
 * handover type= rounds= count=
 */
int zt_case_handover(struct zt_run *run)
{
	unsigned long rounds = zt_num(run, "rounds", 5);
	struct zt_store store;
	struct zt_ctx ctx;
	int ret;

	ret = zt_ctx_init(&ctx, run, 1);
	while (!ret && rounds--) {
		ret = zt_store_init(&store, run,
				    zt_str(run, "type", "zsmalloc_rs"),
				    "zt-handover", zt_num(run, "count", 3000));
		if (ret)
			break;
		ret = zt_handover_round(&store, &ctx);
		zt_store_exit(&store);
	}
	zt_ctx_exit(&ctx);
	return ret;
}
