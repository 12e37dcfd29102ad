// SPDX-License-Identifier: GPL-2.0
/*
 * Every size, every mapping mode, several orders of freeing; and the sizes at
 * the edge of what can be stored.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "zpool_test.h"

/*
 * The order in which objects are freed, as a permutation of their numbers.
 * Objects of one size are neighbours, so "whole" (every other run of
 * @run_length) empties zspages completely among others that stay full.
 */
static int zt_order_fill(struct zt_ctx *ctx, const char *order,
			 unsigned int *perm, unsigned long nr, u32 run_length)
{
	unsigned long i, j, n = 0;

	if (!strcmp(order, "whole")) {
		for (j = 0; j < 2; j++)
			for (i = 0; i < nr; i++)
				if ((i / run_length) % 2 == j)
					perm[n++] = i;
		return 0;
	}
	if (!strcmp(order, "stride")) {
		for (j = 0; j < 7; j++)
			for (i = j; i < nr; i += 7)
				perm[n++] = i;
		return 0;
	}

	for (i = 0; i < nr; i++)
		perm[i] = strcmp(order, "reverse") ? i : nr - 1 - i;
	if (!strcmp(order, "random")) {
		for (i = nr - 1; i > 0; i--)
			swap(perm[i], perm[zt_random(&ctx->rnd, i + 1)]);
		return 0;
	}
	if (strcmp(order, "reverse") && strcmp(order, "forward"))
		return zt_fail(ctx->run, "no order %s", order);
	return 0;
}

/* Free in the order of @perm; all that is left verifies at every eighth. */
static int zt_free_in_order(struct zt_store *store, struct zt_ctx *ctx,
			    const unsigned int *perm)
{
	unsigned long i, step = max(store->nr / 8, 1UL);

	for (i = 0; i < store->nr; i++) {
		zt_obj_free(store, perm[i]);
		if (i % step == step - 1 && zt_store_verify(store, ctx))
			return -EIO;
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	return 0;
}

/* Sizes in ascending order, @copies objects of each. */
static int zt_fill_sizes(struct zt_store *store, struct zt_ctx *ctx,
			 u32 copies, u32 step)
{
	unsigned long i;
	u32 size;
	int ret;

	for (i = 0; i < store->nr; i++) {
		size = min_t(u32, 1 + i / copies * step, PAGE_SIZE);
		ret = zt_obj_new(store, ctx, i, size);
		if (ret)
			return zt_fail(ctx->run, "size %u: error %d", size, ret);
		if (zt_breathe(ctx->run))
			return -EINTR;
	}
	return 0;
}

static u32 zt_sizes_copies(struct zt_run *run)
{
	return max(zt_num(run, "copies", 2), 1UL);
}

static u32 zt_sizes_step(struct zt_run *run)
{
	return max(zt_num(run, "step", 1), 1UL);
}

static int zt_sizes(struct zt_store *store, struct zt_ctx *ctx)
{
	const char *order = zt_str(ctx->run, "order", "forward");
	u32 copies = zt_sizes_copies(ctx->run);
	unsigned int *perm;
	int ret;

	perm = kvcalloc(store->nr, sizeof(*perm), GFP_KERNEL);
	if (!perm)
		return zt_fail(ctx->run, "no memory for the order");

	ret = zt_order_fill(ctx, order, perm, store->nr, copies * 8);
	if (!ret)
		ret = zt_fill_sizes(store, ctx, copies, zt_sizes_step(ctx->run));
	if (!ret)
		ret = zt_store_verify(store, ctx);
	if (!ret)
		ret = zt_store_update(store, ctx);
	if (!ret)
		ret = zt_store_verify(store, ctx);
	if (!ret)
		ret = zt_store_rewrite(store, ctx);
	if (!ret)
		ret = zt_store_verify(store, ctx);
	if (!ret) {
		zt_note(ctx->run, "%lu objects in %lu pages", store->nr,
			zt_store_pages(store));
		ret = zt_free_in_order(store, ctx, perm);
	}
	if (!ret)
		ret = zt_store_empty(store, ctx);
	kvfree(perm);
	return ret;
}

/* sizes type= order= copies= step= seed= settle= */
int zt_case_sizes(struct zt_run *run)
{
	unsigned long sizes = DIV_ROUND_UP(PAGE_SIZE - 1, zt_sizes_step(run)) + 1;

	return zt_with_store(run, "zt-sizes", sizes * zt_sizes_copies(run),
			     zt_sizes);
}

static int zt_expect(struct zt_store *store, struct zt_run *run, size_t size,
		     int expected)
{
	unsigned long handle = 0, before = zt_store_pages(store);
	int ret;

	ret = zpool_malloc(store->zpool, size, store->gfp, &handle);
	if (!ret)
		zpool_free(store->zpool, handle);
	if (ret != expected)
		return zt_fail(run, "size %zu: %d, should be %d", size, ret,
			       expected);
	if (ret && zt_store_pages(store) > before)
		return zt_fail(run, "size %zu was refused, pool grew from %lu to %lu pages",
			       size, before, zt_store_pages(store));
	return 0;
}

/* In a pool that is not empty: what is in it stays as it is. */
static int zt_errors(struct zt_store *store, struct zt_ctx *ctx)
{
	static const struct {
		size_t size;
		int expected;
	} cases[] = {
		{ 0, -EINVAL },
		{ 1, 0 },
		{ PAGE_SIZE - 1, 0 },
		{ PAGE_SIZE, 0 },
		{ PAGE_SIZE + 1, -ENOSPC },
		{ 2 * PAGE_SIZE, -ENOSPC },
		{ (size_t)INT_MAX + 1, -ENOSPC },
		{ SIZE_MAX - PAGE_SIZE, -ENOSPC },
		{ SIZE_MAX - 7, -ENOSPC },
		{ SIZE_MAX, -ENOSPC },
	};
	int i, ret;

	ret = zt_store_fill(store, ctx, "uniform", 0);
	for (i = 0; i < ARRAY_SIZE(cases) && !ret; i++)
		ret = zt_expect(store, ctx->run, cases[i].size,
				cases[i].expected);
	if (!ret)
		ret = zt_store_verify(store, ctx);
	return ret ?: zt_store_empty(store, ctx);
}

/* errors type= count= seed= settle= */
int zt_case_errors(struct zt_run *run)
{
	return zt_with_store(run, "zt-errors", zt_num(run, "count", 500),
			     zt_errors);
}
