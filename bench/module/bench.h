/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Measures any zpool type through the zpool API alone, so that the same code
 * runs on C zsmalloc ("zsmalloc") and on ours ("zsmalloc_rs").
 *
 * User space writes "ROW type=TYPE key=value ..." to debugfs zpool_bench/run
 * and reads from the same open file one line: "ok ns=N ops=N ...", or
 * "fail REASON".  A row is one function of about a screen: it prepares,
 * without the clock, then calls zb_start(), does the work, calls zb_stop().
 */
#ifndef ZPOOL_BENCH_H
#define ZPOOL_BENCH_H

#include <linux/list.h>
#include <linux/migrate.h>
#include <linux/prandom.h>
#include <linux/types.h>
#include <linux/zpool.h>

#define ZB_MAX_ARGS	16
#define ZB_MAX_NOTES	512

struct zb_arg {
	const char *key;
	const char *value;
};

/* One command: its arguments and its result. */
struct zb_run {
	char *line;
	struct zb_arg args[ZB_MAX_ARGS];
	int nr_args;

	u64 started;
	u64 ns;			/* in the timed part */
	u64 ops;		/* done there */
	char notes[ZB_MAX_NOTES];
	size_t len;
	const char *failed;
};

struct zb_row {
	const char *name;
	int (*fn)(struct zb_run *run);
};

const char *zb_str(struct zb_run *run, const char *key, const char *def);
unsigned long zb_num(struct zb_run *run, const char *key, unsigned long def);
__printf(2, 3) void zb_note(struct zb_run *run, const char *fmt, ...);
int zb_fail(struct zb_run *run, const char *why);

/* See main.c for what the clock counts. */
u64 zb_clock(void);
void zb_start(struct zb_run *run);
void zb_stop(struct zb_run *run, u64 ops);

/* A pool with room for @nr objects; handle 0 means that there is none. */
struct zb_pool {
	struct zpool *zpool;
	gfp_t gfp;
	unsigned long nr;
	unsigned long *handles;
	u16 *sizes;
	u32 *order;		/* 0 to nr - 1, shuffled */
	struct rnd_state rnd;
	u8 *buf;		/* a page */
	unsigned long slab_before;	/* zb_slab_pages() without the pool */
};

int zb_pool_init(struct zb_pool *pool, struct zb_run *run, unsigned long nr);
void zb_pool_exit(struct zb_pool *pool);
int zb_new(struct zb_pool *pool, unsigned long i);
void zb_drop(struct zb_pool *pool, unsigned long i);
int zb_fill(struct zb_pool *pool);
void zb_drop_half(struct zb_pool *pool);
void zb_shuffle(struct zb_pool *pool);
u32 zb_random(struct zb_pool *pool, u32 below);
struct page *zb_page(struct zb_pool *pool, unsigned long i);
u16 zb_loaded_size(unsigned long i);
unsigned long zb_slab_pages(void);
void zb_sizes_exit(void);

/*
 * A row that is about one full pool: prepares it, calls fn() and cleans up.
 * objects= and size= or sizes= say what is in it.
 */
int zb_with_pool(struct zb_run *run, unsigned long nr, bool fill,
		 int (*fn)(struct zb_run *run, struct zb_pool *pool));

/* Page migration, for rows that move pages: move.c. */
int zb_isolate_pool(struct zb_pool *pool, struct list_head *pages);
bool zb_isolate(struct page *page, struct list_head *pages);
int zb_migrate_with(struct list_head *pages, new_folio_t new,
		    unsigned long private, enum migrate_mode mode);
void zb_putback(struct list_head *pages);
int zb_migrate(struct list_head *pages);
bool zb_can_migrate(void);
unsigned long zb_symbol(struct zb_run *run, const char *name);

int zb_core(struct zb_run *run);
int zb_sizes(struct zb_run *run);
int zb_malloc(struct zb_run *run);
int zb_malloc_write(struct zb_run *run);
int zb_free_order(struct zb_run *run);
int zb_free_random(struct zb_run *run);
int zb_free_half(struct zb_run *run);
int zb_refill(struct zb_run *run);
int zb_fill_free(struct zb_run *run);
int zb_churn(struct zb_run *run);
int zb_map(struct zb_run *run);
int zb_read(struct zb_run *run);
int zb_copy(struct zb_run *run);
int zb_compact(struct zb_run *run);
int zb_migrate_row(struct zb_run *run);
int zb_freed(struct zb_run *run);
int zb_memory(struct zb_run *run);
int zb_latency(struct zb_run *run);
int zb_threads(struct zb_run *run);
int zb_live_migrate(struct zb_run *run);
int zb_live_contig(struct zb_run *run);
int zb_shrinker_count(struct zb_run *run);

#endif /* ZPOOL_BENCH_H */
