// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that share a pool and its objects: each takes an object, stores,
 * verifies, updates or frees it, and now and then frees a run of objects of
 * one size at once, so that whole zspages go.  User space makes the kernel
 * compact and migrate meanwhile.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "zpool_test.h"

#define ZT_MAX_THREADS	16
#define ZT_BURST	64

struct zt_stress {
	struct zt_store store;
	unsigned long *busy;	/* one bit an object: somebody works on it */
	const char *dist;
	unsigned long nomem;	/* approximate: only for the notes */
	unsigned long ops;
};

struct zt_thread {
	struct zt_stress *stress;
	struct zt_ctx ctx;
	struct task_struct *task;
	unsigned long ops;
	unsigned long nomem;
};

static int zt_stress_store(struct zt_thread *t, unsigned long i, u32 size)
{
	int ret = zt_obj_new(&t->stress->store, &t->ctx, i, size);

	if (ret == -ENOMEM) {
		t->nomem++;
		return 0;
	}
	if (ret)
		zt_fail(t->ctx.run, "size %u: error %d", size, ret);
	return ret;
}

static int zt_stress_one(struct zt_thread *t, unsigned long i)
{
	struct zt_store *store = &t->stress->store;
	u32 size;
	int ret;

	if (!store->objs[i].size) {
		size = zt_dist_size(t->stress->dist, &t->ctx.rnd, i, 0);
		return zt_stress_store(t, i, size);
	}
	switch (zt_random(&t->ctx.rnd, 4)) {
	case 0:
		return zt_obj_verify(store, &t->ctx, i);
	case 1:
		return zt_obj_update(store, &t->ctx, i);
	default:
		ret = zt_obj_verify(store, &t->ctx, i);
		zt_obj_free(store, i);
		return ret;
	}
}

/* Objects of one size, stored one after the other, then freed at once. */
static int zt_stress_burst(struct zt_thread *t, unsigned long first)
{
	struct zt_store *store = &t->stress->store;
	u32 size = zt_dist_size(t->stress->dist, &t->ctx.rnd, first, 0);
	DECLARE_BITMAP(mine, ZT_BURST);
	unsigned long i;
	int k, ret = 0;

	bitmap_zero(mine, ZT_BURST);
	for (k = 0; k < ZT_BURST && !ret; k++) {
		i = (first + k) % store->nr;
		if (test_and_set_bit_lock(i, t->stress->busy))
			continue;
		__set_bit(k, mine);
		zt_obj_free(store, i);
		ret = zt_stress_store(t, i, size);
	}
	for_each_set_bit(k, mine, ZT_BURST) {
		i = (first + k) % store->nr;
		if (!ret)
			ret = zt_obj_verify(store, &t->ctx, i);
		zt_obj_free(store, i);
		clear_bit_unlock(i, t->stress->busy);
	}
	return ret;
}

static int zt_stress_thread(void *arg)
{
	struct zt_thread *t = arg;
	struct zt_stress *s = t->stress;
	unsigned long i;

	while (!kthread_should_stop()) {
		if (zt_failed(t->ctx.run)) {
			msleep(20);
			continue;
		}
		t->ops++;
		i = zt_random(&t->ctx.rnd, s->store.nr);
		if (!zt_random(&t->ctx.rnd, 256)) {
			zt_stress_burst(t, i);
		} else if (!test_and_set_bit_lock(i, s->busy)) {
			zt_stress_one(t, i);
			clear_bit_unlock(i, s->busy);
		}
		cond_resched();
	}
	return 0;
}

static int zt_stress_start(struct zt_thread *t, struct zt_stress *s,
			   struct zt_run *run, int nr)
{
	int ret;

	t->stress = s;
	ret = zt_ctx_init(&t->ctx, run, zt_num(run, "seed", 1) + nr + 1);
	if (ret)
		return ret;
	t->task = kthread_run(zt_stress_thread, t, "zpool_test/%d", nr);
	if (IS_ERR(t->task)) {
		t->task = NULL;
		zt_ctx_exit(&t->ctx);
		return zt_fail(run, "cannot start thread %d", nr);
	}
	return 0;
}

static void zt_stress_stop(struct zt_thread *t)
{
	if (!t->task)
		return;
	kthread_stop(t->task);
	zt_ctx_exit(&t->ctx);
	t->stress->ops += t->ops;
	t->stress->nomem += t->nomem;
}

static int zt_stress_run(struct zt_stress *s, struct zt_ctx *ctx)
{
	unsigned int nr = clamp(zt_num(ctx->run, "threads", 4), 1UL,
				(unsigned long)ZT_MAX_THREADS);
	unsigned long ms = zt_num(ctx->run, "ms", 5000);
	struct zt_thread *threads;
	int ret = 0;
	unsigned int i;

	threads = kcalloc(nr, sizeof(*threads), GFP_KERNEL);
	if (!threads)
		return zt_fail(ctx->run, "no memory for %u threads", nr);
	for (i = 0; i < nr && !ret; i++)
		ret = zt_stress_start(&threads[i], s, ctx->run, i);
	while (!ret && ms && !zt_failed(ctx->run)) {
		msleep(min(ms, 100UL));
		ms -= min(ms, 100UL);
		ret = zt_breathe(ctx->run);
	}
	for (i = 0; i < nr; i++)
		zt_stress_stop(&threads[i]);
	kfree(threads);

	zt_note(ctx->run, "%u threads: %lu operations, %lu times no memory",
		nr, s->ops, s->nomem);
	if (!ret && !zt_failed(ctx->run))
		ret = zt_store_verify(&s->store, ctx);
	return zt_failed(ctx->run) ? -EIO : ret;
}

/* stress type= threads= count= ms= dist= seed= settle= */
int zt_case_stress(struct zt_run *run)
{
	unsigned long nr = max(zt_num(run, "count", 4096), 1UL);
	struct zt_stress s = { .dist = zt_str(run, "dist", "compressed") };
	struct zt_ctx ctx;
	int ret;

	if (zt_dist_check(run, s.dist))
		return -EINVAL;
	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	s.busy = bitmap_zalloc(nr, GFP_KERNEL);
	if (!s.busy)
		ret = zt_fail(run, "no memory for %lu objects", nr);
	if (!ret)
		ret = zt_store_init(&s.store, run,
				    zt_str(run, "type", "zsmalloc_rs"),
				    "zt-stress", nr);
	if (!ret) {
		ret = zt_stress_run(&s, &ctx);
		if (!ret)
			ret = zt_store_empty(&s.store, &ctx);
		zt_store_exit(&s.store);
	}
	bitmap_free(s.busy);
	zt_ctx_exit(&ctx);
	return ret;
}
