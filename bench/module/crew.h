/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that work in one pool: crew.c.
 */
#ifndef ZPOOL_BENCH_CREW_H
#define ZPOOL_BENCH_CREW_H

#include <linux/atomic.h>
#include <linux/completion.h>

#include "bench.h"

#define ZB_MAX_THREADS	8

/* What a thread of its own moves meanwhile. */
enum moving { ZB_NOTHING, ZB_OBJECTS, ZB_PAGES };

/* Pages of zsmalloc's, wherever they are. */
struct migration {
	unsigned long pfn;	/* where to go on */
	u64 ns;			/* in migrate_pages() */
	unsigned long isolated;
	unsigned long left;	/* of those, not migrated */
};

struct worker {
	struct crew *crew;
	unsigned long first;	/* objects first to first + nr - 1 are its own */
	struct task_struct *task;
};

struct crew {
	struct zb_pool *pool;
	bool map;		/* map and unmap, instead of free and malloc */
	unsigned long loops;	/* 0: until told to stop */
	int threads;
	enum moving moving;

	unsigned long nr;	/* objects of each thread */
	bool stop;
	bool failed;
	unsigned long rounds;	/* of the mover */
	struct migration migration;
	atomic_t running;
	struct completion done;
	struct worker workers[ZB_MAX_THREADS + 1];
};

int zb_crew_make(struct crew *crew);
void zb_crew_start(struct crew *crew);
int zb_crew_dismiss(struct crew *crew);
void zb_migrate_some(struct migration *m);

#endif /* ZPOOL_BENCH_CREW_H */
