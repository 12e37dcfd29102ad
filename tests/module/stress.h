/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Threads that share a pool: what case_stress.c runs and roles.c makes them do.
 */
#ifndef ZPOOL_TEST_STRESS_H
#define ZPOOL_TEST_STRESS_H

#include "zpool_test.h"

/* A pool and its objects, shared. */
struct zt_stress {
	struct zt_store store;
	unsigned long *busy;	/* one bit an object: somebody works on it */
	const char *dist;
	unsigned int hold_us;	/* longest time that an object stays mapped */
};

/* One thread.  Its own counts, read when it has ended. */
struct zt_thread {
	struct zt_stress *stress;
	const struct zt_role *role;
	struct zt_ctx ctx;
	struct task_struct *task;
	unsigned long ops;
	unsigned long nomem;
	unsigned long moved;	/* pages migrated, or freed by compaction */
};

/* What a thread does again and again.  May sleep; reports to its context. */
struct zt_role {
	const char *name;
	unsigned int threads;	/* unless the command says otherwise */
	void (*step)(struct zt_thread *t);
};

#define ZT_NR_ROLES	4
extern const struct zt_role zt_roles[ZT_NR_ROLES];

#endif /* ZPOOL_TEST_STRESS_H */
