// SPDX-License-Identifier: GPL-2.0
/*
 * A zspage dies while its freer is preempted.
 *
 * One thread, SCHED_IDLE, frees the last object of a zspage.  Meanwhile a timer of
 * the same CPU wakes one of normal policy there, which does not let go.  A third
 * one wants the page, as CMA does: it isolates the page and tries to migrate it,
 * a few times.  That must not depend on the freer, which does not go on before
 * the end of the round.
 *
 * CMA tries five times in a row.  An emulated CPU may be stopped for longer than
 * that by its host, so here are more tries, and time between them.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <uapi/linux/sched/types.h>

#include "zpool_test.h"

#define ZT_TRIES	10
#define ZT_PAUSE_US	20000

struct zt_preempt {
	struct zt_store store;
	struct task_struct *freer;
	struct task_struct *hog;
	struct hrtimer timer;	/* of the freer's CPU */
	unsigned long us;	/* after which it wakes the hog */
	int go;			/* round that the freer may start */
	int freed;		/* round that it has finished */
	bool hogging;		/* the hog does not let go */
	unsigned long isolated;	/* rounds in which the page was isolated */
	unsigned long preempted;	/* in which the freer was not done by then */
	unsigned long stuck;	/* in which the page was not to be had */
};

static int zt_preempt_freer(void *arg)
{
	struct zt_preempt *preempt = arg;
	int round = 0;

	while (!kthread_should_stop()) {
		/* Pairs with the release in zt_preempt_begin(). */
		if (smp_load_acquire(&preempt->go) == round) {
			cpu_relax();
			cond_resched();
			continue;
		}
		round++;
		hrtimer_start(&preempt->timer, ns_to_ktime(preempt->us * NSEC_PER_USEC),
			      HRTIMER_MODE_REL_PINNED);
		zt_obj_free(&preempt->store, 0);
		/* Pairs with the acquire in zt_preempt_freed(). */
		smp_store_release(&preempt->freed, round);
	}
	return 0;
}

/* Preempts the freer by waking up, and lets it go on by sleeping. */
static int zt_preempt_hog(void *arg)
{
	struct zt_preempt *preempt = arg;

	while (!kthread_should_stop()) {
		set_current_state(TASK_IDLE);
		if (!READ_ONCE(preempt->hogging) && !kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
		while (READ_ONCE(preempt->hogging))
			cpu_relax();
	}
	return 0;
}

static enum hrtimer_restart zt_preempt_wake(struct hrtimer *timer)
{
	struct zt_preempt *preempt = container_of(timer, struct zt_preempt, timer);

	WRITE_ONCE(preempt->hogging, true);
	wake_up_process(preempt->hog);
	return HRTIMER_NORESTART;
}

static bool zt_preempt_freed(struct zt_preempt *preempt)
{
	/* Pairs with the release in zt_preempt_freer(). */
	return smp_load_acquire(&preempt->freed) == preempt->go;
}

/* Until the freer is preempted, or has come to the end. */
static void zt_preempt_begin(struct zt_preempt *preempt, struct zt_ctx *ctx)
{
	preempt->us = zt_random(&ctx->rnd, zt_num(ctx->run, "us", 1000) + 1);
	/* Pairs with the acquire in zt_preempt_freer(). */
	smp_store_release(&preempt->go, preempt->go + 1);
	while (!READ_ONCE(preempt->hogging) && !zt_preempt_freed(preempt))
		usleep_range(50, 100);
}

/* The freer goes on, and is waited for. */
static void zt_preempt_end(struct zt_preempt *preempt)
{
	preempt->preempted += !zt_preempt_freed(preempt);
	do {
		hrtimer_cancel(&preempt->timer);
		WRITE_ONCE(preempt->hogging, false);
		usleep_range(100, 200);
	} while (!zt_preempt_freed(preempt));
}

/* Whether the page was migrated, or seen to be free; otherwise it is put back. */
static bool zt_preempt_take(struct page *page)
{
	int tries = ZT_TRIES;
	LIST_HEAD(pages);

	list_add(&page->lru, &pages);
	while (zt_migrate(&pages, MIGRATE_SYNC) && --tries)
		usleep_range(ZT_PAUSE_US, ZT_PAUSE_US + 1000);
	zt_putback(&pages);
	return tries;
}

static int zt_preempt_round(struct zt_preempt *preempt, struct zt_ctx *ctx)
{
	struct page *page;
	int ret;

	ret = zt_obj_new(&preempt->store, ctx, 0, PAGE_SIZE * 33 / 100);
	if (ret)
		return zt_fail(ctx->run, "error %d", ret);
	page = zt_obj_page(&preempt->store, 0);
	if (!page)
		return zt_fail(ctx->run, "the first object of a zspage spans pages");

	zt_preempt_begin(preempt, ctx);
	/* The core may find the page free only without a reference of ours. */
	if (zt_isolate(page)) {
		put_page(page);
		preempt->isolated++;
		preempt->stuck += !zt_preempt_take(page);
	} else {
		put_page(page);
	}
	zt_preempt_end(preempt);
	return zt_store_empty(&preempt->store, ctx);
}

static struct task_struct *zt_preempt_thread(struct zt_preempt *preempt, int cpu,
					     int policy, int (*fn)(void *arg))
{
	const struct sched_attr attr = { .sched_policy = policy };
	struct task_struct *task;

	task = kthread_create(fn, preempt, "zpool_test/preempt");
	if (IS_ERR(task))
		return NULL;
	kthread_bind(task, cpu);
	if (sched_setattr_nocheck(task, &attr)) {
		kthread_stop(task);
		return NULL;
	}
	wake_up_process(task);
	return task;
}

static int zt_preempt_start(struct zt_preempt *preempt, struct zt_run *run)
{
	int cpu = cpumask_any_but(cpu_online_mask, raw_smp_processor_id());

	hrtimer_init(&preempt->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	preempt->timer.function = zt_preempt_wake;
	preempt->hog = zt_preempt_thread(preempt, cpu, SCHED_NORMAL,
					 zt_preempt_hog);
	preempt->freer = zt_preempt_thread(preempt, cpu, SCHED_IDLE,
					   zt_preempt_freer);
	if (!preempt->hog || !preempt->freer)
		return zt_fail(run, "cannot start a thread");
	return 0;
}

static void zt_preempt_stop(struct zt_preempt *preempt)
{
	if (preempt->freer)
		kthread_stop(preempt->freer);
	if (preempt->hog)
		kthread_stop(preempt->hog);
}

static int zt_preempt_run(struct zt_preempt *preempt, struct zt_ctx *ctx)
{
	unsigned long i, rounds = zt_num(ctx->run, "rounds", 40);
	int ret;

	ret = zt_preempt_start(preempt, ctx->run);
	for (i = 0; i < rounds && !ret; i++)
		ret = zt_preempt_round(preempt, ctx) ?: zt_breathe(ctx->run);
	zt_preempt_stop(preempt);
	zt_note(ctx->run, "rounds %lu, isolated %lu, preempted %lu", i,
		preempt->isolated, preempt->preempted);
	if (preempt->stuck)
		return zt_fail(ctx->run, "%lu of %lu pages could not be had until their freer ran",
			       preempt->stuck, preempt->isolated);
	if (!ret && !preempt->preempted)
		return zt_fail(ctx->run, "the freer was never preempted");
	return ret;
}

/* preempt type= rounds= us= seed= settle= */
int zt_case_preempt(struct zt_run *run)
{
	struct zt_preempt *preempt;
	struct zt_ctx ctx;
	int ret;

	ret = zt_core_missing(run);
	if (ret)
		return ret;
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return zt_skip(run, "with PREEMPT_RT the freer is preempted by design");
	if (!preempt_model_preemptible())
		return zt_skip(run, "code of the kernel is not preempted");
	if (num_online_cpus() < 2)
		return zt_skip(run, "needs two CPUs");
	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	preempt = kzalloc(sizeof(*preempt), GFP_KERNEL);
	if (!preempt)
		ret = -ENOMEM;
	else
		ret = zt_store_init(&preempt->store, run,
				    zt_str(run, "type", "zsmalloc_rs"),
				    "zt-preempt", 1);
	if (!ret) {
		/* A CPU with the freer on it passes for an idle one. */
		migrate_disable();
		ret = zt_preempt_run(preempt, &ctx);
		migrate_enable();
		zt_store_exit(&preempt->store);
	}
	kfree(preempt);
	zt_ctx_exit(&ctx);
	return ret;
}
