// SPDX-License-Identifier: GPL-2.0
/*
 * Migration and freeing at the same instant: one CPU frees the last object of
 * a zspage while another one migrates the page that is freed last.  Delays are
 * drawn at random around the instant, so that over many rounds each order of
 * events comes up: migrated before, refused because the zspage was just taken
 * off its list, refused because the page was freed, free already.
 */
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/mm.h>

#include "zpool_test.h"

#define ZT_MAX_OBJS	512

struct zt_race {
	struct zt_store store;
	struct zt_ctx freer;
	struct task_struct *task;
	unsigned long nr;	/* objects in a zspage */
	unsigned long last;	/* the one that is freed in the race */
	u32 size;
	u32 span;		/* nanoseconds */
	int go;			/* round that the freer may start */
	int done;		/* round that it has finished */
};

static void zt_race_delay(struct zt_race *race, struct zt_ctx *ctx)
{
	u32 ns = zt_random(&ctx->rnd, race->span + 1);

	udelay(ns / 1000);
	ndelay(ns % 1000);
}

static int zt_race_freer(void *arg)
{
	struct zt_race *race = arg;
	int round = 0;

	while (!kthread_should_stop()) {
		/* Pairs with the release in zt_race_round(). */
		if (smp_load_acquire(&race->go) == round) {
			cond_resched();
			continue;
		}
		round++;
		zt_race_delay(race, &race->freer);
		zt_obj_free(&race->store, race->last);
		/* Pairs with the acquire in zt_race_round(). */
		smp_store_release(&race->done, round);
	}
	return 0;
}

/* Store a zspage full of objects; the first time, find out their number. */
static int zt_race_fill(struct zt_race *race, struct zt_ctx *ctx)
{
	unsigned long i, pages = 0;
	int ret;

	for (i = 0; i < race->nr; i++) {
		ret = zt_obj_new(&race->store, ctx, i, race->size);
		if (ret)
			return zt_fail(ctx->run, "size %u: error %d",
				       race->size, ret);
		if (!i)
			pages = zt_store_pages(&race->store);
		if (zt_store_pages(&race->store) != pages) {
			zt_obj_free(&race->store, i);
			race->nr = i;
		}
	}
	return 0;
}

/* The page of the last object that lies in one page, isolated. */
static int zt_race_isolate(struct zt_race *race, struct zt_ctx *ctx,
			   struct list_head *pages, bool hold)
{
	struct page *page = NULL;
	unsigned long i = race->nr;
	int ret;

	while (!page && i--)
		page = zt_obj_page(&race->store, i);
	if (!page)
		return zt_fail(ctx->run, "every object spans pages");
	race->last = i;
	for (i = 0; i < race->nr; i++)
		if (i != race->last)
			zt_obj_free(&race->store, i);
	ret = zt_isolate_patiently(ctx->run, page, pages);
	if (ret || !hold)
		put_page(page);
	return ret;
}

static int zt_race_round(struct zt_race *race, struct zt_ctx *ctx)
{
	/* With a reference of ours the core cannot see that the page is free. */
	bool hold = zt_random(&ctx->rnd, 2);
	int round = race->go + 1;
	struct page *page;
	LIST_HEAD(pages);
	int ret;

	ret = zt_race_fill(race, ctx);
	if (!ret)
		ret = zt_race_isolate(race, ctx, &pages, hold);
	if (ret)
		return ret;
	page = list_first_entry(&pages, struct page, lru);

	/* Pairs with the acquire in zt_race_freer(). */
	smp_store_release(&race->go, round);
	zt_race_delay(race, ctx);
	zt_migrate(&pages, MIGRATE_ASYNC);
	/* Pairs with the release in zt_race_freer(). */
	while (smp_load_acquire(&race->done) != round)
		cond_resched();
	zt_putback(&pages);
	if (hold)
		put_page(page);
	return zt_store_empty(&race->store, ctx);
}

/* The size whose zspages have the most pages: there freeing takes longest. */
static int zt_race_choose(struct zt_race *race, struct zt_ctx *ctx)
{
	unsigned long pages, most = 0;
	u32 size, chosen = 0;
	int ret;

	for (size = PAGE_SIZE / 2; size < PAGE_SIZE; size += PAGE_SIZE / 64) {
		ret = zt_obj_new(&race->store, ctx, 0, size);
		if (ret)
			return zt_fail(ctx->run, "size %u: error %d", size, ret);
		pages = zt_store_pages(&race->store);
		if (pages > most) {
			most = pages;
			chosen = size;
		}
		ret = zt_store_empty(&race->store, ctx);
		if (ret)
			return ret;
	}
	race->size = chosen;
	race->nr = ZT_MAX_OBJS;
	ret = zt_race_fill(race, ctx);
	zt_note(ctx->run, "size %u: %lu objects in %lu pages", chosen, race->nr,
		most);
	return ret ?: zt_store_empty(&race->store, ctx);
}

static int zt_race_start(struct zt_race *race, struct zt_ctx *ctx)
{
	int ret = zt_ctx_init(&race->freer, ctx->run,
			      zt_num(ctx->run, "seed", 1) + 1);

	if (ret)
		return ret;
	race->task = zt_thread_elsewhere(ctx->run, "race", zt_race_freer, race);
	return race->task ? 0 : -EIO;
}

/* race type= rounds= span= seed= settle= */
int zt_case_race(struct zt_run *run)
{
	unsigned long rounds = zt_num(run, "rounds", 1000);
	u32 span = zt_num(run, "span", 100000);
	struct zt_race race = {};
	struct zt_ctx ctx;
	int ret;

	ret = zt_core_missing(run);
	if (ret)
		return ret;
	if (num_online_cpus() < 2)
		return zt_skip(run, "needs two CPUs");
	ret = zt_ctx_init(&ctx, run, zt_num(run, "seed", 1));
	if (ret)
		return ret;
	ret = zt_store_init(&race.store, run, zt_str(run, "type", "zsmalloc_rs"),
			    "zt-race", ZT_MAX_OBJS);
	if (!ret)
		ret = zt_race_choose(&race, &ctx);
	if (!ret)
		ret = zt_race_start(&race, &ctx);
	while (!ret && rounds--) {
		/* Close to the instant in some rounds, around it in others. */
		race.span = span >> zt_random(&ctx.rnd, 8);
		ret = zt_race_round(&race, &ctx);
		if (!ret)
			ret = zt_breathe(run);
	}
	if (race.task)
		kthread_stop(race.task);
	zt_store_exit(&race.store);
	zt_ctx_exit(&race.freer);
	zt_ctx_exit(&ctx);
	return ret;
}
