// SPDX-License-Identifier: GPL-2.0
/*
 * One command: parsing its arguments, collecting its result.
 */
#include <linux/cpumask.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "zpool_test.h"

/* Split "case key=value ..." in place. */
int zt_run_parse(struct zt_run *run, char *line)
{
	char *word;

	run->line = strim(line);
	strsep(&line, " ");
	while (line) {
		line = skip_spaces(line);
		word = strsep(&line, " ");
		if (!*word)
			continue;
		if (run->nr_args == ZT_MAX_ARGS)
			return -E2BIG;
		run->args[run->nr_args].key = strsep(&word, "=");
		if (!word)
			return -EINVAL;
		run->args[run->nr_args].value = word;
		run->nr_args++;
	}
	return 0;
}

const char *zt_str(struct zt_run *run, const char *key, const char *def)
{
	int i;

	for (i = 0; i < run->nr_args; i++) {
		if (!strcmp(run->args[i].key, key)) {
			run->args[i].used = true;
			return run->args[i].value;
		}
	}
	return def;
}

unsigned long zt_num(struct zt_run *run, const char *key, unsigned long def)
{
	const char *value = zt_str(run, key, NULL);
	unsigned long num;

	if (!value)
		return def;
	if (kstrtoul(value, 0, &num)) {
		zt_fail(run, "%s=%s is not a number", key, value);
		return def;
	}
	return num;
}

/* A mistyped argument must not turn into a test of something else. */
void zt_check_args(struct zt_run *run)
{
	int i;

	for (i = 0; i < run->nr_args; i++)
		if (!run->args[i].used && run->verdict == ZT_OK)
			zt_fail(run, "argument %s is not used by this case",
				run->args[i].key);
}

bool zt_failed(struct zt_run *run)
{
	return READ_ONCE(run->verdict) != ZT_OK;
}

__printf(3, 0)
static void zt_conclude(struct zt_run *run, enum zt_verdict verdict,
			const char *fmt, va_list args)
{
	spin_lock(&run->lock);
	if (run->verdict == ZT_OK) {
		vscnprintf(run->reason, sizeof(run->reason), fmt, args);
		WRITE_ONCE(run->verdict, verdict);
	}
	spin_unlock(&run->lock);
}

int zt_fail(struct zt_run *run, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	zt_conclude(run, ZT_FAIL, fmt, args);
	va_end(args);
	return -EIO;
}

int zt_skip(struct zt_run *run, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	zt_conclude(run, ZT_SKIP, fmt, args);
	va_end(args);
	return -EOPNOTSUPP;
}

void zt_note(struct zt_run *run, const char *fmt, ...)
{
	size_t left;
	va_list args;

	va_start(args, fmt);
	spin_lock(&run->lock);
	left = sizeof(run->notes) - run->len;
	run->len += scnprintf(run->notes + run->len, left, "# ");
	left = sizeof(run->notes) - run->len;
	run->len += vscnprintf(run->notes + run->len, left, fmt, args);
	left = sizeof(run->notes) - run->len;
	run->len += scnprintf(run->notes + run->len, left, "\n");
	spin_unlock(&run->lock);
	va_end(args);
}

int zt_breathe(struct zt_run *run)
{
	cond_resched();
	if (fatal_signal_pending(current))
		return zt_fail(run, "interrupted");
	return 0;
}

struct task_struct *zt_thread_elsewhere(struct zt_run *run, const char *name,
					int (*fn)(void *arg), void *arg)
{
	struct task_struct *task;

	task = kthread_create(fn, arg, "zpool_test/%s", name);
	if (IS_ERR(task)) {
		zt_fail(run, "cannot start a thread");
		return NULL;
	}
	kthread_bind(task, cpumask_any_but(cpu_online_mask,
					   raw_smp_processor_id()));
	wake_up_process(task);
	return task;
}
