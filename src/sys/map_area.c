// SPDX-License-Identifier: GPL-2.0
/*
 * Per-CPU buffers for objects that span two pages, as in mm/zsmalloc.c: one
 * mapped object a CPU, under a local lock, with page faults off.
 */

#include <linux/cpuhotplug.h>
#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>
/*
 * local_lock.h does not stand alone: without SMP it needs irqflags.h and
 * preempt.h, with PREEMPT_RT spinlock.h.
 */
#include <linux/local_lock.h>
#include <linux/percpu.h>
#include <linux/uaccess.h>

#include "shim.h"

struct locked_map_area {
	local_lock_t lock;
	struct zs_rs_map_area area;
};

static DEFINE_PER_CPU(struct locked_map_area, map_areas) = {
	.lock = INIT_LOCAL_LOCK(lock),
};

static int cpuhp_state;

static int map_area_prepare(unsigned int cpu)
{
	struct zs_rs_map_area *area = &per_cpu(map_areas, cpu).area;

	/* A CPU that comes back still has its buffer if its death failed. */
	if (!area->buffer)
		area->buffer = kzalloc_node(PAGE_SIZE, GFP_KERNEL,
					    cpu_to_node(cpu));
	return area->buffer ? 0 : -ENOMEM;
}

static int map_area_dead(unsigned int cpu)
{
	struct zs_rs_map_area *area = &per_cpu(map_areas, cpu).area;

	kfree(area->buffer);
	area->buffer = NULL;
	return 0;
}

int zs_rs_map_area_init(void)
{
	int ret;

	ret = cpuhp_setup_state(CPUHP_BP_PREPARE_DYN, "mm/zsmalloc_rs:prepare",
				map_area_prepare, map_area_dead);
	if (ret < 0)
		return ret;
	cpuhp_state = ret;
	return 0;
}

void zs_rs_map_area_exit(void)
{
	cpuhp_remove_state(cpuhp_state);
}

/* Until zs_rs_map_area_put(): on this CPU, and on !PREEMPT_RT not preempted. */
struct zs_rs_map_area *zs_rs_map_area_get(void)
{
	local_lock(&map_areas.lock);
	pagefault_disable();
	return &this_cpu_ptr(&map_areas)->area;
}

struct zs_rs_map_area *zs_rs_map_area_current(void)
{
	return &this_cpu_ptr(&map_areas)->area;
}

void zs_rs_map_area_put(void)
{
	pagefault_enable();
	local_unlock(&map_areas.lock);
}

/* The same, and zs_rs_read_unlock(). */
void zs_rs_map_area_put_with(rwlock_t *zspage) __releases(zspage)
{
	zs_rs_map_area_put();
	zs_rs_read_unlock(zspage);
}
