// SPDX-License-Identifier: GPL-2.0
/*
 * live what=compact|offline type= loops= : the kernel migrates pages while
 * threads free and allocate them as fast as they can (row "threads" of the kernel
 * module, huge objects).
 *
 * ns and ops are those of the attempts: writes to compact_memory, or blocks of
 * memory taken offline (and back).  failed= says how many of them did not work.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define RUN "/sys/kernel/debug/zpool_bench/run"
#define MEMORY "/sys/devices/system/memory/memory"

static u64 now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static pid_t start_threads(char **args)
{
	char line[256];
	pid_t pid;

	snprintf(line, sizeof(line), "threads type=%s size=4096 objects=4000 threads=2 loops=%ld",
		 arg(args, "type", "zsmalloc_rs"), arg_num(args, "loops", 500));
	pid = fork();
	if (!pid)
		_exit(write_file(RUN, line) ? 1 : 0);
	return pid;
}

/* The next block that is in ZONE_MOVABLE, from the end of memory. */
static bool take_offline(int *block)
{
	char path[128], zones[64];
	bool done;

	for (; *block >= 0; (*block)--) {
		snprintf(path, sizeof(path), MEMORY "%d/valid_zones", *block);
		if (!read_file(path, zones, sizeof(zones)) && !strncmp(zones, "Movable", 7))
			break;
	}
	snprintf(path, sizeof(path), MEMORY "%d/state", *block);
	done = !write_file(path, "offline");
	if (done)
		write_file(path, "online_movable");
	(*block)--;
	return done;
}

void do_live(char **args, struct result *r)
{
	const char *what = arg(args, "what", "compact");
	pid_t pid = start_threads(args);
	int block = 64, failed = 0, status = 0;
	u64 t;

	while (pid > 0 && !waitpid(pid, &status, WNOHANG)) {
		bool good;

		t = now();
		if (!strcmp(what, "compact"))
			good = !write_file("/proc/sys/vm/compact_memory", "1");
		else
			good = take_offline(&block);
		r->ns += now() - t;
		r->ops++;
		failed += !good;
		if (block < 0)
			block = 64;
	}
	if (pid < 0 || status)
		r->failed = "the threads";
	snprintf(r->notes, sizeof(r->notes), " failed=%d", failed);
}
