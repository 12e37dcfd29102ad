// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that work in one pool, each on a CPU of its own, and one that moves
 * what they work on.
 */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/mm.h>

#include "crew.h"

/* Map all of its objects, or free all and allocate them again. */
static bool work_once(struct worker *w)
{
	struct crew *crew = w->crew;
	struct zb_pool *pool = crew->pool;
	unsigned long i, k, end = w->first + crew->nr;

	for (i = w->first; i < end; i++) {
		k = pool->order[i];
		if (crew->map) {
			zpool_map_handle(pool->zpool, pool->handles[k],
					 ZPOOL_MM_RO);
			zpool_unmap_handle(pool->zpool, pool->handles[k]);
		} else {
			zb_drop(pool, k);
		}
		if (!(i % 64))
			cond_resched();
	}
	for (i = w->first; i < end && !crew->map; i++)
		if (zb_new(pool, pool->order[i]))
			return false;
	return true;
}

static void wait_for_stop(void)
{
	while (!kthread_should_stop()) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (!kthread_should_stop())
			schedule();
		__set_current_state(TASK_RUNNING);
	}
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
	wait_for_stop();
	return 0;
}

/*
 * Migrate pages of zsmalloc's, wherever they are, a few at a time.  Frames are
 * looked at up to the number of pages there are: in a small guest, nearly all.
 */
void zb_migrate_some(struct migration *m)
{
	unsigned long end = m->pfn + 4096, nr = 0;
	LIST_HEAD(pages);
	struct page *page;
	u64 t;

	for (; m->pfn < end; m->pfn++) {
		page = pfn_valid(m->pfn) ? pfn_to_page(m->pfn) : NULL;
		if (page && PageZsmalloc(page))
			nr += zb_isolate(page, &pages);
	}
	if (end > totalram_pages())
		m->pfn = 0;
	t = zb_clock();
	m->left += zb_migrate(&pages);
	m->ns += zb_clock() - t;
	m->isolated += nr;
}

/* Free objects of its own, compact, and allocate them again: others move. */
static bool compact_some(struct worker *w)
{
	struct crew *crew = w->crew;
	struct zb_pool *pool = crew->pool;
	unsigned long i, end = w->first + crew->nr;

	for (i = w->first; i < end; i++)
		zb_drop(pool, pool->order[i]);
	zpool_compact(pool->zpool);
	for (i = w->first; i < end; i++)
		if (zb_new(pool, pool->order[i]))
			return false;
	return true;
}

/* On whatever CPU has time. */
static int mover_thread(void *arg)
{
	struct worker *w = arg;
	struct crew *crew = w->crew;

	while (!kthread_should_stop() && !crew->failed) {
		if (crew->moving == ZB_PAGES)
			zb_migrate_some(&crew->migration);
		else if (!compact_some(w))
			WRITE_ONCE(crew->failed, true);
		crew->rounds++;
		cond_resched();
	}
	wait_for_stop();
	return 0;
}

static int make_thread(struct worker *w, int nr)
{
	bool mover = w == &w->crew->workers[w->crew->threads];
	struct task_struct *task = kthread_create(mover ? mover_thread :
						  worker_thread, w,
						  "zpool_bench/%d", nr);

	if (IS_ERR(task))
		return PTR_ERR(task);
	if (!mover)
		kthread_bind(task, nr % num_online_cpus());
	w->task = task;
	return 0;
}

/* The threads, not yet at work. Each has its share of the objects, the mover one, too. */
int zb_crew_make(struct crew *crew)
{
	int i, ret = 0, all = crew->threads + (crew->moving != ZB_NOTHING);

	crew->nr = crew->pool->nr / (crew->threads + 1);
	atomic_set(&crew->running, crew->threads);
	init_completion(&crew->done);
	for (i = 0; i < all && !ret; i++) {
		crew->workers[i] = (struct worker){ crew, i * crew->nr };
		ret = make_thread(&crew->workers[i], i);
	}
	return ret;
}

void zb_crew_start(struct crew *crew)
{
	int i;

	for (i = crew->threads; i >= 0; i--)
		if (crew->workers[i].task)
			wake_up_process(crew->workers[i].task);
}

/* Those that were not started, too. */
int zb_crew_dismiss(struct crew *crew)
{
	int i;

	WRITE_ONCE(crew->stop, true);
	for (i = crew->threads; i >= 0; i--)
		if (crew->workers[i].task)
			kthread_stop(crew->workers[i].task);
	return crew->failed ? -ENOMEM : 0;
}
