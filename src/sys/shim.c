// SPDX-License-Identifier: GPL-2.0
/*
 * Locks, RCU, slab caches and the shrinker for the Rust half: see shim.h.
 */

#include <linux/atomic.h>
#include <linux/export.h>
#include <linux/kasan.h>
#include <linux/kmemleak.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/sched.h>

#include "shim.h"

/*
 * The module! macro of Linux 6.12 has no parameters, so that this one lives
 * here.  Its bounds are those of CONFIG_ZSMALLOC_CHAIN_SIZE.
 */
#define CHAIN_SIZE_MIN		4
#define CHAIN_SIZE_MAX		16

static unsigned int chain_size = 8;

static int chain_size_set(const char *val, const struct kernel_param *kp)
{
	return param_set_uint_minmax(val, kp, CHAIN_SIZE_MIN, CHAIN_SIZE_MAX);
}

static const struct kernel_param_ops chain_size_ops = {
	.set = chain_size_set,
	.get = param_get_uint,
};

module_param_cb(chain_size, &chain_size_ops, &chain_size, 0444);
MODULE_PARM_DESC(chain_size,
		 "Most pages that one zspage is made of, 4 to 16 (default 8)");

unsigned int zs_rs_chain_size(void)
{
	return chain_size;
}

/* Pools that were leaked, whose slab caches stay and keep their names. */
static atomic_t leaked_pools = ATOMIC_INIT(0);

/* The reference is never given back: see Pool::destroy() in Rust. */
void zs_rs_leak_pool(void)
{
	atomic_inc(&leaked_pools);
	__module_get(THIS_MODULE);
}

size_t zs_rs_strlen(const char *s)
{
	return strlen(s);
}

/* The name of the parameter is what lockdep calls the lock. */
void zs_rs_rwlock_init(rwlock_t *zs_rs_zspage)
{
	rwlock_init(zs_rs_zspage);
}

void zs_rs_read_lock(rwlock_t *lock) __acquires(lock)
{
	read_lock(lock);
}

void zs_rs_read_unlock(rwlock_t *lock) __releases(lock)
{
	/*
	 * Once unlocked, the zspage may be emptied and queued for RCU.  With
	 * PREEMPT_RT, not every 6.12 is done with the lock before it leaves its
	 * own RCU read section.
	 */
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		rcu_read_lock();
	read_unlock(lock);
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		rcu_read_unlock();
}

bool zs_rs_write_trylock(rwlock_t *lock)
{
	return write_trylock(lock);
}

void zs_rs_write_unlock(rwlock_t *lock) __releases(lock)
{
	write_unlock(lock);
}

void zs_rs_cond_resched(void)
{
	cond_resched();
}

/* On PREEMPT_RT spinlocks sleep, so that preemption stays on. */
void zs_rs_preempt_off(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
}

void zs_rs_preempt_on(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
}

static DEFINE_MUTEX(registry_mutex);

void zs_rs_registry_lock(void)
{
	mutex_lock(&registry_mutex);
}

void zs_rs_registry_unlock(void)
{
	mutex_unlock(&registry_mutex);
}

/* Once for each place: warn.rs sees to that. */
void zs_rs_warn(const char *what, unsigned long handle)
{
	/* Hashed, as all addresses in the log are, unless booted with no_hash_pointers. */
	WARN(1, "zsmalloc_rs: %s (handle %p)\n", what, (void *)handle);
}

void zs_rs_rcu_read_lock(void)
{
	rcu_read_lock();
}

void zs_rs_rcu_read_unlock(void)
{
	rcu_read_unlock();
}

void zs_rs_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	call_rcu(head, func);
}

/*
 * Readers that hold a pointer to something of ours, and callbacks that are
 * queued but have not run: neither wait covers the other.
 */
void zs_rs_rcu_drain(void)
{
	synchronize_rcu();
	rcu_barrier();
}

struct kmem_cache *zs_rs_cache_create(const char *prefix, unsigned int size,
				      unsigned int align, const char *pool)
{
	unsigned int leaked = atomic_read(&leaked_pools);
	struct kmem_cache *cache;
	char *name;

	/* A debug kernel warns of a second cache of the same name. */
	if (leaked)
		name = kasprintf(GFP_KERNEL, "%s-%u-%s.%u", prefix, size, pool,
				 leaked);
	else
		name = kasprintf(GFP_KERNEL, "%s-%u-%s", prefix, size, pool);
	if (!name)
		return NULL;

	/*
	 * Merged with a cache of somebody else's, ours would outlive us under
	 * its name, and the next pool of that name would be a duplicate: zram
	 * takes the name of its device again after each reset.
	 */
	cache = kmem_cache_create(name, size, align, SLAB_NO_MERGE, NULL);
	kfree(name);
	return cache;
}

/*
 * What compaction remembers.  Its size is that of the slab object, so that all
 * of it is used and counted.
 */
size_t zs_rs_kmalloc_size(size_t size)
{
	return kmalloc_size_roundup(size);
}

/*
 * Compaction holds the class lock, and in the shrinker is part of reclaim: it
 * does not wait, and without memory gives up, quietly.  Reclaim may take all of
 * a zone's reserves.  Here it leaves half of them: what compaction takes it
 * gives back many times, but maybe to another zone.
 */
void *zs_rs_kzalloc(size_t size)
{
	gfp_t gfp = GFP_NOWAIT | __GFP_NOWARN | __GFP_NOMEMALLOC;

	if (current->flags & PF_MEMALLOC)
		gfp |= __GFP_HIGH;
	return kasan_reset_tag(kzalloc(size, gfp));
}

void zs_rs_kfree(void *memory)
{
	kfree(memory);
}

void zs_rs_cache_destroy(struct kmem_cache *cache)
{
	kmem_cache_destroy(cache);
}

/*
 * A name has no room for the tag that KASAN keeps in a pointer's top
 * byte on arm64, so that untagged pointers are all that Rust ever sees.
 */
void *zs_rs_cache_alloc(struct kmem_cache *cache, gfp_t gfp)
{
	return kasan_reset_tag(kmem_cache_alloc(cache, gfp));
}

void zs_rs_cache_free(struct kmem_cache *cache, void *object)
{
	kmem_cache_free(cache, object);
}

/* Only names lead to the object from here on, which kmemleak cannot read. */
void zs_rs_cache_only_named(const void *object)
{
	kmemleak_not_leak(object);
}

struct shrinker *zs_rs_shrinker_register(const char *pool_name, void *pool,
					 zs_rs_shrink_fn count,
					 zs_rs_shrink_fn scan)
{
	struct shrinker *shrinker;

	shrinker = shrinker_alloc(0, "mm-zspool_rs:%s", pool_name);
	if (!shrinker)
		return NULL;

	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	shrinker->batch = 0;
	shrinker->private_data = pool;
	shrinker_register(shrinker);
	return shrinker;
}

void *zs_rs_shrinker_pool(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

void zs_rs_shrinker_free(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}
