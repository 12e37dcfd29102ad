// SPDX-License-Identifier: GPL-2.0
/*
 * Density: the same sizes, allocated and freed in the same order in the pool
 * under test and in one of a reference type, must not need more pages in the
 * first.
 *
 * With less=8 the reference gets sizes of 8 bytes less, so that with C zsmalloc
 * as the reference each object goes to the same class in both: then the first
 * must not have more pages after any step.  With the same sizes it is compared
 * whenever the pools are full: an object may be the first of a smaller class,
 * whose zspages have more pages.
 */
#include <linux/kernel.h>
#include <linux/mm.h>

#include "zpool_test.h"

struct zt_duel {
	struct zt_store ours;
	struct zt_store ref;
	unsigned long less;	/* bytes, of what the reference gets */
	unsigned long steps;
	unsigned long peak_ours;
	unsigned long peak_ref;
};

static int zt_duel_compare(struct zt_duel *duel, struct zt_run *run, bool full)
{
	unsigned long ours = zt_store_pages(&duel->ours);
	unsigned long ref = zt_store_pages(&duel->ref);

	duel->steps++;
	duel->peak_ours = max(duel->peak_ours, ours);
	duel->peak_ref = max(duel->peak_ref, ref);
	if (ours > ref && (full || duel->less))
		return zt_fail(run, "step %lu: %lu pages, %s has %lu",
			       duel->steps, ours,
			       zpool_get_type(duel->ref.zpool), ref);
	return 0;
}

/* Content does not matter here, so nothing is written: this is quick. */
static int zt_duel_malloc(struct zt_store *store, struct zt_run *run,
			  unsigned long i, u32 size)
{
	struct zt_obj *obj = &store->objs[i];
	int ret;

	ret = zpool_malloc(store->zpool, size, GFP_KERNEL, &obj->handle);
	if (ret)
		return zt_fail(run, "size %u: error %d", size, ret);
	obj->size = size;
	return 0;
}

static int zt_duel_fill(struct zt_duel *duel, struct zt_ctx *ctx,
			const char *dist)
{
	unsigned long i;
	int ret;
	u32 size;

	for (i = 0; i < duel->ours.nr; i++) {
		if (duel->ours.objs[i].size)
			continue;
		size = zt_dist_size(dist, &ctx->rnd, i,
				    zt_num(ctx->run, "size", 1));
		ret = zt_duel_malloc(&duel->ours, ctx->run, i, size);
		if (!ret)
			ret = zt_duel_malloc(&duel->ref, ctx->run, i,
					     zt_less(size, duel->less));
		if (!ret)
			ret = zt_duel_compare(duel, ctx->run, false);
		if (!ret)
			ret = zt_breathe(ctx->run);
		if (ret)
			return ret;
	}
	zt_note(ctx->run, "full: %lu pages, %s %lu",
		zt_store_pages(&duel->ours), zpool_get_type(duel->ref.zpool),
		zt_store_pages(&duel->ref));
	return zt_duel_compare(duel, ctx->run, true);
}

static int zt_duel_thin(struct zt_duel *duel, struct zt_ctx *ctx,
			unsigned int percent)
{
	unsigned long i;
	int ret;

	for (i = 0; i < duel->ours.nr; i++) {
		if (zt_random(&ctx->rnd, 100) >= percent)
			continue;
		zt_obj_free(&duel->ours, i);
		zt_obj_free(&duel->ref, i);
		ret = zt_duel_compare(duel, ctx->run, false);
		if (!ret)
			ret = zt_breathe(ctx->run);
		if (ret)
			return ret;
	}
	return 0;
}

static int zt_duel_run(struct zt_duel *duel, struct zt_ctx *ctx)
{
	const char *dist = zt_str(ctx->run, "dist", "uniform");
	unsigned long rounds = zt_num(ctx->run, "rounds", 2);
	unsigned int percent = zt_num(ctx->run, "percent", 50);
	int ret;

	ret = zt_dist_check(ctx->run, dist);
	if (!ret)
		ret = zt_duel_fill(duel, ctx, dist);
	while (!ret && rounds--) {
		ret = zt_duel_thin(duel, ctx, percent);
		if (!ret)
			ret = zt_duel_fill(duel, ctx, dist);
	}
	zt_note(ctx->run, "%lu steps: peak %lu pages, %s %lu", duel->steps,
		duel->peak_ours, zpool_get_type(duel->ref.zpool),
		duel->peak_ref);
	return ret ?: zt_store_empty(&duel->ours, ctx);
}

/* pages type= ref= dist= size= less= count= rounds= percent= seed= settle= */
int zt_case_pages(struct zt_run *run)
{
	unsigned long nr = zt_num(run, "count", 10000);
	struct zt_duel duel = { .less = zt_num(run, "less", 0) };
	struct zt_ctx ctx;
	int ret;

	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	ret = zt_store_init(&duel.ours, run,
			    zt_str(run, "type", "zsmalloc_rs"), "zt-ours", nr);
	if (!ret)
		ret = zt_store_init(&duel.ref, run,
				    zt_str(run, "ref", "zsmalloc"), "zt-ref", nr);
	if (!ret)
		ret = zt_duel_run(&duel, &ctx);
	zt_store_exit(&duel.ref);
	zt_store_exit(&duel.ours);
	zt_ctx_exit(&ctx);
	return ret;
}
