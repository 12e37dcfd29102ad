// SPDX-License-Identifier: GPL-2.0
/*
 * Rows with several threads, each on a CPU of its own, in one pool.
 */
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "bench.h"

#define MAX_THREADS	8

struct crew {
	struct zb_pool *pool;
	bool map;		/* map and unmap, instead of free and malloc */
	unsigned long loops;	/* 0: until told to stop */
	unsigned long nr;	/* objects of each thread */
	bool stop;
	bool failed;
	atomic_t running;
	struct completion done;
};

struct worker {
	struct crew *crew;
	unsigned long first;	/* objects first to first + nr - 1 are its own */
	unsigned long calls;
	struct task_struct *task;
};

static bool work_once(struct worker *w)
{
	struct zb_pool *pool = w->crew->pool;
	unsigned long i, k, end = w->first + w->crew->nr;

	for (i = w->first; i < end; i++) {
		k = pool->order[i];
		if (w->crew->map) {
			zpool_map_handle(pool->zpool, pool->handles[k],
					 ZPOOL_MM_RO);
			zpool_unmap_handle(pool->zpool, pool->handles[k]);
		} else {
			zb_drop(pool, k);
		}
		if (!(i % 64))
			cond_resched();
	}
	for (i = w->first; i < end && !w->crew->map; i++)
		if (zb_new(pool, pool->order[i]))
			return false;
	w->calls += w->crew->nr;
	return true;
}

static int worker_thread(void *arg)
{
	struct worker *w = arg;
	struct crew *crew = w->crew;
	unsigned long loop;

	for (loop = 0; !crew->loops || loop < crew->loops; loop++) {
		if (READ_ONCE(crew->stop))
			break;
		if (!work_once(w)) {
			WRITE_ONCE(crew->failed, true);
			break;
		}
	}
	if (atomic_dec_and_test(&crew->running))
		complete(&crew->done);
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
	return 0;
}

/*
 * Migrate pages of zsmalloc's, wherever they are, a few at a time.  Frames are
 * looked at up to the number of pages there are: in a small guest, nearly all.
 */
static void migrate_some(unsigned long *pfn)
{
	unsigned long end = *pfn + 4096;
	LIST_HEAD(pages);
	struct page *page;

	for (; *pfn < end; (*pfn)++) {
		page = pfn_valid(*pfn) ? pfn_to_page(*pfn) : NULL;
		if (page && PageZsmalloc(page))
			zb_isolate(page, &pages);
	}
	zb_migrate(&pages);
	if (end > totalram_pages())
		*pfn = 0;
}

/* In the background of a row with moving=1, on whatever CPU has time. */
static int mover_thread(void *arg)
{
	struct crew *crew = arg;
	unsigned long pfn = 0;

	while (!kthread_should_stop()) {
		zpool_compact(crew->pool->zpool);
		if (zb_can_migrate())
			migrate_some(&pfn);
		cond_resched();
	}
	return 0;
}

static int start_worker(struct worker *w, int nr)
{
	struct task_struct *task = kthread_create(worker_thread, w,
						  "zpool_bench/%d", nr);

	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, nr % num_online_cpus());
	w->task = task;
	return 0;
}

static int prepare(struct crew *crew, struct worker *workers, int threads)
{
	int i, ret = 0;

	crew->nr = crew->pool->nr / threads;
	atomic_set(&crew->running, threads);
	init_completion(&crew->done);
	for (i = 0; i < threads && !ret; i++) {
		workers[i] = (struct worker){ crew, i * crew->nr };
		ret = start_worker(&workers[i], i);
	}
	return ret;
}

static void dismiss(struct worker *workers, int threads)
{
	int i;

	for (i = 0; i < threads; i++)
		if (workers[i].task)
			kthread_stop(workers[i].task);
}

/*
 * threads threads= op=free|map loops= moving= [size=]: all in one class with
 * size=, in many without.
 */
static int time_threads(struct zb_run *run, struct zb_pool *pool)
{
	int threads = clamp(zb_num(run, "threads", 2), 1UL, MAX_THREADS);
	struct worker workers[MAX_THREADS] = {};
	struct task_struct *mover = NULL;
	struct crew crew = {
		.pool = pool,
		.map = !strcmp(zb_str(run, "op", "free"), "map"),
		.loops = zb_num(run, "loops", 10),
	};
	int i, ret;

	ret = prepare(&crew, workers, threads);
	if (!ret && zb_num(run, "moving", 0))
		mover = kthread_run(mover_thread, &crew, "zpool_bench/mover");
	if (!ret) {
		zb_start(run);
		for (i = 0; i < threads; i++)
			wake_up_process(workers[i].task);
		wait_for_completion(&crew.done);
		zb_stop(run, threads * crew.nr * crew.loops);
	}
	if (!IS_ERR_OR_NULL(mover))
		kthread_stop(mover);
	dismiss(workers, threads);
	return ret ?: crew.failed ? -ENOMEM : 0;
}

int zb_threads(struct zb_run *run)
{
	return zb_with_pool(run, 4000, true, time_threads);
}

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
	int i, threads = min(zb_num(run, "threads", 0), MAX_THREADS);
	struct shrinker *shrinker = last_shrinker(run);
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };
	struct worker workers[MAX_THREADS] = {};
	struct crew crew = { .pool = pool };
	int ret = 0;

	if (!shrinker)
		return zb_fail(run, "shrinker_list= is not its address");
	zb_drop_half(pool);
	if (threads)
		ret = prepare(&crew, workers, threads);
	for (i = 0; i < threads && !ret; i++)
		wake_up_process(workers[i].task);
	if (!ret) {
		zb_start(run);
		for (i = 0; i < 2000; i++)
			shrinker->count_objects(shrinker, &sc);
		zb_stop(run, 2000);
	}
	WRITE_ONCE(crew.stop, true);
	dismiss(workers, threads);
	return ret;
}

int zb_shrinker_count(struct zb_run *run)
{
	return zb_with_pool(run, 4000, true, time_count);
}
