/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C half of crate::sys: what the kernel offers only as a macro or a static
 * inline function, under names that bindgen can see.  Each function is what its
 * name says, and the Rust file of the same concept (lock.rs, rcu.rs, slab.rs,
 * page.rs, ...) says when it may be called.
 */

#ifndef _ZSMALLOC_RS_SHIM_H
#define _ZSMALLOC_RS_SHIM_H

/*
 * A name, and a place, has no room for the top bits of an address: they have to be equal,
 * which they are not where physical memory is addressed by windows.
 */
#if defined(CONFIG_LOONGARCH)
#error "zsmalloc_rs: addresses of LoongArch do not fit in a handle"
#elif !defined(CONFIG_X86_64) && !defined(CONFIG_ARM64)
#error "zsmalloc_rs: it is not known whether addresses of this architecture fit in a handle"
#endif

#include <linux/mm.h>
#include <linux/migrate.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

enum {
	ZS_RS_PAGE_SHIFT = PAGE_SHIFT,
	/* What a page may have and slab memory may not. */
	ZS_RS_GFP_PLACEMENT = (__force u32)(__GFP_HIGHMEM | __GFP_MOVABLE),
};

/* Points of delay.c; those of delay.rs, and one in page.c. */
enum {
	ZS_RS_DELAY_PUBLISH,
	ZS_RS_DELAY_UNLISTED,
	ZS_RS_DELAY_PRIVATE,
	ZS_RS_DELAY_MAP,
	ZS_RS_DELAY_FREE,
	ZS_RS_DELAY_MIGRATE,
	ZS_RS_DELAY_CALLBACK,
	ZS_RS_DELAY_POINTS
};

/* What the migration of a page came to, for trace.h. */
enum {
	ZS_RS_MIGRATED,
	ZS_RS_MIGRATE_BUSY,
	ZS_RS_MIGRATE_UNLISTED,
	ZS_RS_MIGRATE_FREED,
};

#ifdef CONFIG_RUST_DEBUG_ASSERTIONS
void zs_rs_delay(unsigned int point);
#else
static inline void zs_rs_delay(unsigned int point)
{
}
#endif

/* shim.c: locks */
void zs_rs_rwlock_init(rwlock_t *zs_rs_zspage);
void zs_rs_read_lock(rwlock_t *lock);
void zs_rs_read_unlock(rwlock_t *lock);
bool zs_rs_write_trylock(rwlock_t *lock);
void zs_rs_write_unlock(rwlock_t *lock);
void zs_rs_cond_resched(void);
void zs_rs_preempt_off(void);
void zs_rs_preempt_on(void);
void zs_rs_registry_lock(void);
void zs_rs_registry_unlock(void);
void zs_rs_warn(const char *what, unsigned long handle);

/* shim.c: RCU */
void zs_rs_rcu_read_lock(void);
void zs_rs_rcu_read_unlock(void);
void zs_rs_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
void zs_rs_rcu_drain(void);

/* shim.c: slab */
size_t zs_rs_kmalloc_size(size_t size);
void *zs_rs_kzalloc(size_t size);
void zs_rs_kfree(void *memory);
struct kmem_cache *zs_rs_cache_create(const char *prefix, unsigned int size,
				      unsigned int align, const char *pool);
void zs_rs_cache_destroy(struct kmem_cache *cache);
void *zs_rs_cache_alloc(struct kmem_cache *cache, gfp_t gfp);
void zs_rs_cache_free(struct kmem_cache *cache, void *object);
void zs_rs_cache_only_named(const void *object);

/* shim.c: module and shrinker */
unsigned int zs_rs_chain_size(void);
void zs_rs_leak_pool(void);
size_t zs_rs_strlen(const char *s);
void zs_rs_log_version(void);
typedef unsigned long (*zs_rs_shrink_fn)(struct shrinker *shrinker,
					 struct shrink_control *sc);
struct shrinker *zs_rs_shrinker_register(const char *pool_name, void *pool,
					 zs_rs_shrink_fn count,
					 zs_rs_shrink_fn scan);
void *zs_rs_shrinker_pool(struct shrinker *shrinker);
void zs_rs_shrinker_free(struct shrinker *shrinker);

/* page.c */
unsigned int zs_rs_pages_alloc(gfp_t gfp, void **slots, unsigned int nr);
void *zs_rs_page_address(struct page *page);
struct page *zs_rs_page_of(void *address);
void zs_rs_page_set_private(struct page *page, void *zspage);
void *zs_rs_page_private(struct page *page);
bool zs_rs_page_make_movable(struct page *page,
			     const struct movable_operations *ops);
void zs_rs_page_adopt(struct page *page, const struct movable_operations *ops);
void zs_rs_page_copy(struct page *to, struct page *from);
bool zs_rs_page_free(struct page *page);
void zs_rs_page_free_locked(struct page *page);
void zs_rs_page_discard(struct page *page);
unsigned long zs_rs_page_disown_all(const struct movable_operations *ops);

/* trace.c */
void zs_rs_trace_pool_create(const void *pool, const char *name,
			     unsigned int chain_size);
void zs_rs_trace_pool_destroy(const void *pool, unsigned long leaked);
void zs_rs_trace_zspage_birth(const void *pool, const void *zspage,
			      unsigned int size, unsigned int pages,
			      unsigned int objects);
void zs_rs_trace_zspage_death(const void *pool, const void *zspage,
			      unsigned int size, unsigned int pages);
void zs_rs_trace_compact(const void *pool, unsigned int size,
			 unsigned long moved, unsigned long freed,
			 unsigned long skipped, bool no_memory);
void zs_rs_trace_migrate(struct page *from, struct page *to,
			 unsigned int result);
void zs_rs_trace_isolate_refused(struct page *page);

/* map_area.c */
struct zs_rs_map_area {
	void *buffer;		/* PAGE_SIZE bytes */
	/* from map to unmap */
	unsigned long pinned;	/* what keeps the object in its place */
	bool copy_back;		/* the buffer holds what has been written */
};

int zs_rs_map_area_init(void);
void zs_rs_map_area_exit(void);
struct zs_rs_map_area *zs_rs_map_area_get(void);
struct zs_rs_map_area *zs_rs_map_area_current(void);
void zs_rs_map_area_put(void);
void zs_rs_map_area_put_with(rwlock_t *zspage);

/* debugfs.c */
typedef void (*zs_rs_show_fn)(struct seq_file *seq, void *data);

struct dentry *zs_rs_debugfs_root(void);
struct dentry *zs_rs_debugfs_dir(const char *name);
struct zs_rs_file;
struct zs_rs_file *zs_rs_debugfs_file(const char *name, struct dentry *parent,
				      zs_rs_show_fn show, void *data);
void zs_rs_debugfs_file_free(struct zs_rs_file *file);
void zs_rs_debugfs_remove(struct dentry *dentry);
void zs_rs_seq_write(struct seq_file *seq, const void *text, size_t len);

#endif /* _ZSMALLOC_RS_SHIM_H */
