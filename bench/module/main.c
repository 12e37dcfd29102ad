// SPDX-License-Identifier: GPL-2.0
/*
 * debugfs: zpool_bench/run takes commands, zpool_bench/clock shows the clock.
 */
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tick.h>
#include <linux/uaccess.h>

#include "bench.h"

static const struct zb_row zb_rows[] = {
	{ "core", zb_core },
	{ "sizes", zb_sizes },
	{ "malloc", zb_malloc },
	{ "malloc-write", zb_malloc_write },
	{ "free-order", zb_free_order },
	{ "free-random", zb_free_random },
	{ "free-half", zb_free_half },
	{ "refill", zb_refill },
	{ "fill-free", zb_fill_free },
	{ "churn", zb_churn },
	{ "map", zb_map },
	{ "read", zb_read },
	{ "copy", zb_copy },
	{ "compact", zb_compact },
	{ "migrate", zb_migrate_row },
	{ "freed", zb_freed },
	{ "memory", zb_memory },
	{ "latency", zb_latency },
	{ "threads", zb_threads },
	{ "live-migrate", zb_live_migrate },
	{ "live-contig", zb_live_contig },
	{ "shrinker-count", zb_shrinker_count },
};

static struct dentry *zb_dir;
static DEFINE_MUTEX(zb_lock);	/* one row at a time */

/*
 * User Mode Linux: CPU time of the host's thread that is this kernel, asked of
 * the host itself, so that what else runs on the host does not count.
 * Elsewhere: time; in a guest that counts instructions (QEMU's -icount
 * shift=0), instructions.
 */
#ifdef CONFIG_UML
#define HOST_CLOCK_GETTIME		228
#define HOST_CLOCK_THREAD_CPUTIME_ID	3

u64 zb_clock(void)
{
	struct { long sec, nsec; } t;
	long ret = HOST_CLOCK_GETTIME;

	asm volatile("syscall"
		     : "+a" (ret)
		     : "D" (HOST_CLOCK_THREAD_CPUTIME_ID), "S" (&t)
		     : "rcx", "r11", "memory");
	return t.sec * NSEC_PER_SEC + t.nsec;
}
#else
u64 zb_clock(void)
{
	return ktime_get_ns();
}
#endif

void zb_start(struct zb_run *run)
{
	/* What the preparation left to do is not the row's. */
	rcu_barrier();
	cond_resched();
	run->started = zb_clock();
}

/* How long this CPU has had nothing to do; where the clock stops then, nothing. */
static u64 zb_idle(void)
{
#if defined(CONFIG_UML) || !defined(CONFIG_NO_HZ_COMMON)
	return 0;
#else
	return get_cpu_idle_time_us(0, NULL) * NSEC_PER_USEC;
#endif
}

/*
 * A callback that the row has queued is part of its work; waiting for it is not.
 * With several CPUs it may run on another one: there it is left out.
 */
static void zb_finish_callbacks(struct zb_run *run)
{
	u64 idle = zb_idle();

	if (num_online_cpus() > 1)
		return;
	rcu_barrier();
	run->started += zb_idle() - idle;
}

void zb_stop(struct zb_run *run, u64 ops)
{
	zb_finish_callbacks(run);
	run->ns += zb_clock() - run->started;
	run->ops += ops;
}

static int zb_parse(struct zb_run *run)
{
	char *next = strim(run->line), *word, *value;

	strsep(&next, " ");
	while ((word = strsep(&next, " "))) {
		value = strchr(word, '=');
		if (!value || run->nr_args == ZB_MAX_ARGS)
			return -EINVAL;
		*value = '\0';
		run->args[run->nr_args++] = (struct zb_arg){ word, value + 1 };
	}
	return 0;
}

const char *zb_str(struct zb_run *run, const char *key, const char *def)
{
	int i;

	for (i = 0; i < run->nr_args; i++)
		if (!strcmp(run->args[i].key, key))
			return run->args[i].value;
	return def;
}

unsigned long zb_num(struct zb_run *run, const char *key, unsigned long def)
{
	const char *value = zb_str(run, key, NULL);

	if (value && kstrtoul(value, 0, &def))
		zb_fail(run, "an argument is not a number");
	return def;
}

void zb_note(struct zb_run *run, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	run->len += vscnprintf(run->notes + run->len,
			       sizeof(run->notes) - run->len, fmt, args);
	va_end(args);
}

int zb_fail(struct zb_run *run, const char *why)
{
	if (!run->failed)
		run->failed = why;
	return -EIO;
}

static void zb_execute(struct zb_run *run)
{
	int i, ret = -ENOENT;

	if (zb_parse(run)) {
		zb_fail(run, "arguments are key=value, at most 16");
		return;
	}
	guard(mutex)(&zb_lock);
	for (i = 0; i < ARRAY_SIZE(zb_rows); i++)
		if (!strcmp(zb_rows[i].name, run->line))
			ret = zb_rows[i].fn(run);
	if (ret == -ENOENT)
		zb_fail(run, "no such row");
	else if (ret == -ENOMEM)
		zb_fail(run, "no memory");
	else if (ret)
		zb_fail(run, "error");
}

static int zb_open(struct inode *inode, struct file *file)
{
	struct zb_run *run = kzalloc(sizeof(*run), GFP_KERNEL);

	file->private_data = run;
	return run ? nonseekable_open(inode, file) : -ENOMEM;
}

static int zb_release(struct inode *inode, struct file *file)
{
	struct zb_run *run = file->private_data;

	kfree(run->line);
	kfree(run);
	return 0;
}

static ssize_t zb_write(struct file *file, const char __user *ubuf, size_t len,
			loff_t *ppos)
{
	struct zb_run *run = file->private_data;

	if (!len || len > PAGE_SIZE)
		return -EINVAL;
	kfree(run->line);
	memset(run, 0, sizeof(*run));
	run->line = memdup_user_nul(ubuf, len);
	if (IS_ERR(run->line)) {
		run->line = NULL;
		return -ENOMEM;
	}
	zb_execute(run);
	*ppos = 0;
	return len;
}

static ssize_t zb_read_result(struct file *file, char __user *ubuf, size_t len,
			      loff_t *ppos)
{
	struct zb_run *run = file->private_data;
	char *text;
	ssize_t ret;

	if (run->failed)
		text = kasprintf(GFP_KERNEL, "fail %s\n", run->failed);
	else
		text = kasprintf(GFP_KERNEL, "ok ns=%llu ops=%llu%s\n", run->ns,
				 run->ops, run->notes);
	if (!text)
		return -ENOMEM;
	ret = simple_read_from_buffer(ubuf, len, ppos, text, strlen(text));
	kfree(text);
	return ret;
}

static const struct file_operations zb_fops = {
	.owner = THIS_MODULE,
	.open = zb_open,
	.release = zb_release,
	.write = zb_write,
	.read = zb_read_result,
};

static int zb_clock_show(struct seq_file *m, void *v)
{
	seq_printf(m, "%llu\n", zb_clock());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(zb_clock);

static int __init zb_init(void)
{
	zb_dir = debugfs_create_dir("zpool_bench", NULL);
	debugfs_create_file("run", 0600, zb_dir, NULL, &zb_fops);
	debugfs_create_file("clock", 0400, zb_dir, NULL, &zb_clock_fops);
	return 0;
}
module_init(zb_init);

static void __exit zb_exit(void)
{
	debugfs_remove_recursive(zb_dir);
	zb_sizes_exit();
}
module_exit(zb_exit);

MODULE_AUTHOR("zsmalloc_rs developers");
MODULE_DESCRIPTION("Measures zpool allocators");
MODULE_LICENSE("GPL");
