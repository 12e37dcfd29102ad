// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that share a pool and its objects: roles.c has what they do.  User
 * space makes the kernel compact and migrate meanwhile.  With the same seed and
 * the same numbers of threads each thread does the same again, though not at
 * the same instant.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "stress.h"

#define ZT_MAX_THREADS	16	/* of a role */

static int zt_stress_thread(void *arg)
{
	struct zt_thread *t = arg;

	while (!kthread_should_stop()) {
		if (zt_failed(t->ctx.run)) {
			msleep(20);
			continue;
		}
		t->role->step(t);
		t->ops++;
		cond_resched();
	}
	return 0;
}

static int zt_stress_start(struct zt_thread *t, struct zt_run *run,
			   unsigned int nr)
{
	int ret;

	ret = zt_ctx_init(&t->ctx, run, zt_num(run, "seed", 1) + nr + 1);
	if (ret)
		return ret;
	t->task = kthread_run(zt_stress_thread, t, "zt_%s/%u", t->role->name, nr);
	if (IS_ERR(t->task)) {
		t->task = NULL;
		zt_ctx_exit(&t->ctx);
		return zt_fail(run, "cannot start thread %u", nr);
	}
	return 0;
}

static void zt_stress_stop(struct zt_thread *t)
{
	if (!t->task)
		return;
	kthread_stop(t->task);
	zt_ctx_exit(&t->ctx);
}

/* Sets out who does what; returns how many there are. */
static unsigned int zt_stress_cast(struct zt_stress *s, struct zt_run *run,
				   struct zt_thread *threads)
{
	unsigned int r, k, wanted, nr = 0;

	for (r = 0; r < ZT_NR_ROLES; r++) {
		wanted = min_t(unsigned long, ZT_MAX_THREADS,
			       zt_num(run, zt_roles[r].name, zt_roles[r].threads));
		for (k = 0; k < wanted; k++) {
			threads[nr].stress = s;
			threads[nr++].role = &zt_roles[r];
		}
	}
	return nr;
}

static void zt_stress_note(struct zt_run *run, const struct zt_thread *threads,
			   unsigned int nr)
{
	unsigned long ops, nomem, moved;
	unsigned int r, k, of;

	for (r = 0; r < ZT_NR_ROLES; r++) {
		ops = 0;
		nomem = 0;
		moved = 0;
		of = 0;
		for (k = 0; k < nr; k++) {
			if (threads[k].role != &zt_roles[r])
				continue;
			of++;
			ops += threads[k].ops;
			nomem += threads[k].nomem;
			moved += threads[k].moved;
		}
		if (of)
			zt_note(run, "%u %s: %lu steps, %lu x ENOMEM, %lu pages moved or freed",
				of, zt_roles[r].name, ops, nomem, moved);
	}
}

static int zt_stress_run(struct zt_stress *s, struct zt_ctx *ctx)
{
	unsigned long ms = zt_num(ctx->run, "ms", 5000);
	struct zt_thread *threads;
	unsigned int i, nr;
	int ret = 0;

	threads = kcalloc(ZT_NR_ROLES * ZT_MAX_THREADS, sizeof(*threads),
			  GFP_KERNEL);
	if (!threads)
		return zt_fail(ctx->run, "no memory for the threads");
	nr = zt_stress_cast(s, ctx->run, threads);
	for (i = 0; i < nr && !ret; i++)
		ret = zt_stress_start(&threads[i], ctx->run, i);
	while (!ret && ms && !zt_failed(ctx->run)) {
		msleep(min(ms, 100UL));
		ms -= min(ms, 100UL);
		ret = zt_breathe(ctx->run);
	}
	for (i = 0; i < nr; i++)
		zt_stress_stop(&threads[i]);
	zt_stress_note(ctx->run, threads, nr);
	kfree(threads);

	if (!ret && !zt_failed(ctx->run))
		ret = zt_store_verify(&s->store, ctx);
	return zt_failed(ctx->run) ? -EIO : ret;
}

/* The roles that reach into the core of page migration or into the driver. */
static int zt_stress_check(struct zt_run *run, const struct zt_stress *s)
{
	if (zt_dist_check(run, s->dist))
		return -EINVAL;
	if (zt_num(run, "migrators", 0))
		return zt_core_missing(run);
	return 0;
}

/*
 * stress type= name= threads= bursts= compactors= migrators= hold= count= ms= dist=
 *	seed= settle=
 */
int zt_case_stress(struct zt_run *run)
{
	unsigned long nr = max(zt_num(run, "count", 4096), 1UL);
	struct zt_stress s = {
		.dist = zt_str(run, "dist", "compressed"),
		.hold_us = min(zt_num(run, "hold", 0), 5000UL),
	};
	struct zt_ctx ctx;
	int ret;

	ret = zt_stress_check(run, &s);
	if (ret)
		return ret;
	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	s.busy = bitmap_zalloc(nr, GFP_KERNEL);
	if (!s.busy)
		ret = zt_fail(run, "no memory for %lu objects", nr);
	if (!ret)
		ret = zt_store_init(&s.store, run,
				    zt_str(run, "type", "zsmalloc_rs"),
				    zt_str(run, "name", "zt-stress"), nr);
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
