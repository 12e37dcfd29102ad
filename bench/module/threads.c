// SPDX-License-Identifier: GPL-2.0
/*
 * Rows with several threads in one pool.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/string.h>

#include "crew.h"

#define OBJECTS	6000

static int threads_of(struct zb_run *run, unsigned long def)
{
	return min(zb_num(run, "threads", def), ZB_MAX_THREADS);
}

static enum moving moving_of(struct zb_run *run)
{
	const char *what = zb_str(run, "moving", "");

	return !strcmp(what, "objects") ? ZB_OBJECTS :
	       !strcmp(what, "pages") ? ZB_PAGES : ZB_NOTHING;
}

/*
 * threads threads= op=free|map moving=objects|pages loops= [size=]: all in one
 * class with size=, in many without.
 */
static int time_threads(struct zb_run *run, struct zb_pool *pool)
{
	bool map = !strcmp(zb_str(run, "op", "free"), "map");
	struct crew crew = {
		.pool = pool,
		.map = map,
		.loops = zb_num(run, "loops", map ? 150 : 40),
		.threads = threads_of(run, 2),
		.moving = moving_of(run),
	};
	int ret = zb_crew_make(&crew), failed;

	if (!ret) {
		zb_start(run);
		zb_crew_start(&crew);
		wait_for_completion(&crew.done);
		zb_stop(run, crew.threads * crew.nr * crew.loops);
	}
	failed = zb_crew_dismiss(&crew);
	if (crew.moving == ZB_PAGES)
		zb_note(run, " pages=%lu left=%lu", crew.migration.isolated,
			crew.migration.left);
	if (crew.moving)
		zb_note(run, " mover=%lu", crew.rounds);
	return ret ?: failed;
}

int zb_threads(struct zb_run *run)
{
	if (moving_of(run) == ZB_PAGES && !zb_can_migrate())
		return zb_fail(run, "the command core must come first");
	return zb_with_pool(run, OBJECTS, true, time_threads);
}

/*
 * live-migrate threads= pages=: migrate pages until so many have been, while
 * threads free what is in them and allocate it again.  ops are pages migrated.
 */
static int time_live_migrate(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long pages = zb_num(run, "pages", 20000);
	struct crew crew = { .pool = pool, .threads = threads_of(run, 1) };
	struct migration m = { 0 };
	int ret = zb_crew_make(&crew), failed;

	if (!ret)
		zb_crew_start(&crew);
	while (!ret && m.isolated - m.left < pages && !READ_ONCE(crew.failed)) {
		zb_migrate_some(&m);
		cond_resched();
	}
	failed = zb_crew_dismiss(&crew);
	run->ns = m.ns;
	run->ops = m.isolated - m.left;
	zb_note(run, " left=%lu", m.left);
	return ret ?: failed;
}

int zb_live_migrate(struct zb_run *run)
{
	if (!zb_can_migrate())
		return zb_fail(run, "the command core must come first");
	return zb_with_pool(run, OBJECTS, true, time_live_migrate);
}

#ifdef CONFIG_CONTIG_ALLOC
/*
 * live-contig threads= ranges= pages=: allocate ranges of frames, as CMA does, and
 * free them again, while threads free and allocate objects in them.  ops are the
 * ranges that were to be had.
 */
static int time_live_contig(struct zb_run *run, struct zb_pool *pool)
{
	unsigned long pages = zb_num(run, "pages", 2048), pfn = 0, busy = 0;
	unsigned long ranges = zb_num(run, "ranges", 32), i;
	struct crew crew = { .pool = pool, .threads = threads_of(run, 1) };
	int ret = zb_crew_make(&crew), failed;

	if (!ret)
		zb_crew_start(&crew);
	zb_start(run);
	for (i = 0; i < ranges && !ret; i++) {
		/* the upper half, where there are few pages of the kernel's own */
		pfn += pages;
		if (pfn < totalram_pages() / 2 || pfn + pages > totalram_pages())
			pfn = ALIGN(totalram_pages() / 2, pages);
		if (alloc_contig_range(pfn, pfn + pages, MIGRATE_MOVABLE,
				       GFP_KERNEL | __GFP_NOWARN))
			busy++;
		else
			free_contig_range(pfn, pages);
	}
	zb_stop(run, ranges - busy);
	failed = zb_crew_dismiss(&crew);
	zb_note(run, " busy=%lu", busy);
	return ret ?: failed;
}

int zb_live_contig(struct zb_run *run)
{
	return zb_with_pool(run, 40000, true, time_live_contig);
}
#else
int zb_live_contig(struct zb_run *run)
{
	return zb_fail(run, "kernel without CONFIG_CONTIG_ALLOC");
}
#endif

/* The shrinker that was registered last, which is that of the newest pool. */
static struct shrinker *last_shrinker(struct zb_run *run)
{
	unsigned long list;

	list = zb_symbol(run, "shrinker_list");
	if (!list || list_empty((struct list_head *)list))
		return NULL;
	return list_last_entry((struct list_head *)list, struct shrinker, list);
}

/*
 * shrinker-count shrinker_list= threads=: ask the pool's shrinker how much it
 * could free, while threads allocate and free.
 */
static int time_count(struct zb_run *run, struct zb_pool *pool)
{
	struct crew crew = { .pool = pool, .threads = threads_of(run, 0) };
	struct shrinker *shrinker = last_shrinker(run);
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };
	unsigned long i, times = zb_num(run, "times", 20000);
	int ret, failed;

	if (!shrinker)
		return zb_fail(run, "shrinker_list= is not its address");
	zb_drop_half(pool);
	ret = zb_crew_make(&crew);
	if (!ret) {
		zb_crew_start(&crew);
		zb_start(run);
		for (i = 0; i < times; i++) {
			shrinker->count_objects(shrinker, &sc);
			cond_resched();
		}
		zb_stop(run, times);
	}
	failed = zb_crew_dismiss(&crew);
	return ret ?: failed;
}

int zb_shrinker_count(struct zb_run *run)
{
	return zb_with_pool(run, OBJECTS, true, time_count);
}
