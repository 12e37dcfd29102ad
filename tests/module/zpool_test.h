/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Test module that drives any zpool type from user space.
 *
 * User space opens /sys/kernel/debug/zpool_test/run, writes one command
 * ("CASE key=value ...") and reads the result from the same open file:
 * first line "ok", "fail REASON" or "skip REASON", then notes.  The case runs
 * in the context of the writer.  Every open file has its own result, so that
 * commands can run in parallel.
 */
#ifndef ZPOOL_TEST_H
#define ZPOOL_TEST_H

#include <linux/list.h>
#include <linux/migrate_mode.h>
#include <linux/mutex.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/zpool.h>

#define ZT_MAX_ARGS	16
#define ZT_RESULT_SIZE	4096

struct zt_arg {
	const char *key;
	const char *value;
	bool used;
};

enum zt_verdict { ZT_OK, ZT_FAIL, ZT_SKIP };

struct task_struct;

/* One command: its arguments, and what came of it. */
struct zt_run {
	char *line;
	struct zt_arg args[ZT_MAX_ARGS];
	int nr_args;

	spinlock_t lock;	/* protects what follows: threads report too */
	enum zt_verdict verdict;
	char reason[256];
	char notes[ZT_RESULT_SIZE];
	size_t len;
};

struct zt_case {
	const char *name;
	int (*fn)(struct zt_run *run);
	const char *help;
};

int zt_run_parse(struct zt_run *run, char *line);
const char *zt_str(struct zt_run *run, const char *key, const char *def);
unsigned long zt_num(struct zt_run *run, const char *key, unsigned long def);
void zt_check_args(struct zt_run *run);
bool zt_failed(struct zt_run *run);

/* Both keep the first reason and return an error for the caller to return. */
__printf(2, 3) int zt_fail(struct zt_run *run, const char *fmt, ...);
__printf(2, 3) int zt_skip(struct zt_run *run, const char *fmt, ...);
__printf(2, 3) void zt_note(struct zt_run *run, const char *fmt, ...);

/* Sizes of objects, by the name of their distribution. */
int zt_dist_check(struct zt_run *run, const char *dist);
u32 zt_dist_size(const char *dist, struct rnd_state *rnd, unsigned long i,
		 u32 fixed);
u32 zt_less(u32 size, unsigned long less);
unsigned long zt_random(struct rnd_state *rnd, unsigned long below);

/* An object in a pool; size 0 means that there is none. */
struct zt_obj {
	unsigned long handle;
	u32 size;
	u8 gen;		/* part of the content: changed by each update */
};

/* A pool and the objects in it, each with content that only it has. */
struct zt_store {
	struct zpool *zpool;
	struct zt_obj *objs;
	unsigned long nr;
	u64 seed;
	gfp_t gfp;
};

/* What a thread needs to work on a store: where to report, a page, chance. */
struct zt_ctx {
	struct zt_run *run;
	u8 *buf;
	struct rnd_state rnd;
};

int zt_ctx_init(struct zt_ctx *ctx, struct zt_run *run, u64 seed);
void zt_ctx_exit(struct zt_ctx *ctx);

int zt_store_init(struct zt_store *store, struct zt_run *run, const char *type,
		  const char *name, unsigned long nr);
void zt_store_exit(struct zt_store *store);
unsigned long zt_store_pages(struct zt_store *store);
int zt_store_fill(struct zt_store *store, struct zt_ctx *ctx, const char *dist,
		  u32 fixed);
int zt_store_verify(struct zt_store *store, struct zt_ctx *ctx);
int zt_store_update(struct zt_store *store, struct zt_ctx *ctx);
int zt_store_rewrite(struct zt_store *store, struct zt_ctx *ctx);
void zt_store_free_all(struct zt_store *store);
int zt_store_empty(struct zt_store *store, struct zt_ctx *ctx);
int zt_with_store(struct zt_run *run, const char *name, unsigned long nr,
		  int (*fn)(struct zt_store *store, struct zt_ctx *ctx));

gfp_t zt_gfp(struct zpool *zpool);
int zt_obj_new(struct zt_store *store, struct zt_ctx *ctx, unsigned long i,
	       u32 size);
int zt_obj_verify(struct zt_store *store, struct zt_ctx *ctx, unsigned long i);
int zt_obj_update(struct zt_store *store, struct zt_ctx *ctx, unsigned long i);
int zt_obj_hold(struct zt_store *store, struct zt_ctx *ctx, unsigned long i,
		unsigned int us, const bool *stop);
void zt_obj_free(struct zt_store *store, unsigned long i);
struct page *zt_obj_page(struct zt_store *store, unsigned long i);

/* The migration core, which exports nothing to modules: see core.c. */
bool zt_isolate(struct page *page);
int zt_isolate_patiently(struct zt_run *run, struct page *page,
			 struct list_head *pages);
int zt_migrate(struct list_head *pages, enum migrate_mode mode);
void zt_putback(struct list_head *pages);
int zt_core_missing(struct zt_run *run);
unsigned long zt_isolate_all(struct zt_store *store, struct zt_ctx *ctx,
			     struct list_head *pages);
void zt_raced_let_go(struct zt_run *run);
void zt_raced_release(void);

/* How many objects zt_obj_hold() keeps mapped now, for user space to see. */
extern atomic_t zt_held;

/* Like /proc/self/fail-nth, from within: the nth allocation from here on fails. */
#ifdef CONFIG_FAULT_INJECTION
static inline void zt_fail_nth(unsigned int n)
{
	WRITE_ONCE(current->fail_nth, n);
}

/* Not 0 if there were not so many. */
static inline unsigned int zt_fail_nth_left(void)
{
	return READ_ONCE(current->fail_nth);
}
#else
static inline void zt_fail_nth(unsigned int n) {}
static inline unsigned int zt_fail_nth_left(void) { return 0; }
#endif

/* Between objects: let others run, and let the user interrupt. */
int zt_breathe(struct zt_run *run);

/* A thread that stays away from this CPU; NULL, and a failure, if there is none. */
struct task_struct *zt_thread_elsewhere(struct zt_run *run, const char *name,
					int (*fn)(void *arg), void *arg);

int zt_case_core(struct zt_run *run);
int zt_case_sizes(struct zt_run *run);
int zt_case_errors(struct zt_run *run);
int zt_case_address(struct zt_run *run);
int zt_case_pages(struct zt_run *run);
int zt_case_exhaust(struct zt_run *run);
int zt_case_faults(struct zt_run *run);
int zt_case_create_faults(struct zt_run *run);
int zt_case_fill(struct zt_run *run);
int zt_case_thin(struct zt_run *run);
int zt_case_refill(struct zt_run *run);
int zt_case_verify(struct zt_run *run);
int zt_case_compact(struct zt_run *run);
int zt_case_hold(struct zt_run *run);
int zt_case_drop(struct zt_run *run);
int zt_case_double_free(struct zt_run *run);
int zt_case_abandon(struct zt_run *run);
int zt_case_stress(struct zt_run *run);
int zt_case_moved(struct zt_run *run);
int zt_case_pools(struct zt_run *run);
int zt_case_handover(struct zt_run *run);
int zt_case_churn(struct zt_run *run);
int zt_case_migrate(struct zt_run *run);
int zt_case_migrate_busy(struct zt_run *run);
int zt_case_birth(struct zt_run *run);
int zt_case_race(struct zt_run *run);
int zt_case_raced(struct zt_run *run);
int zt_case_raced_release(struct zt_run *run);
int zt_case_preempt(struct zt_run *run);
int zt_case_let_go(struct zt_run *run);
void zt_session_drop_all(void);

#endif /* ZPOOL_TEST_H */
