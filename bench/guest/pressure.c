// SPDX-License-Identifier: GPL-2.0
/*
 * pressure mb= writes= device= type= alg= : more memory in use than there is.
 *
 * A process fills it, and then rewrites pages at random with other content, so
 * that pages go out and in and the shrinkers are called all the time.  Reported
 * is what the allocator takes, and what is in it, added up over samples in the
 * second half: pages=, slab= (in pages), data= (in bytes; for zswap, which does not
 * say, about, and by the pages that are not in memory).
 *
 * Slab is counted by caches, whose names say whose they are, and by the counters of
 * what comes from kmalloc(): under pressure the slab of the whole kernel is no
 * measure, as it is in the memory rows, since other caches shrink.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define SAMPLES 20

struct sample {
	u64 pages;
	u64 slab;
	u64 data;
};

static const char *const caches[] = {
	"zs_handle", "zspage", "zs_rs_", "zsmalloc_rs",
};

static bool is_allocators(const char *name)
{
	for (size_t i = 0; i < sizeof(caches) / sizeof(*caches); i++)
		if (!strncmp(name, caches[i], strlen(caches[i])))
			return true;
	return false;
}

static u64 cache_pages(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	u64 per_slab, slabs, sum = 0;
	char line[512], name[64];

	while (f && fgets(line, sizeof(line), f)) {
		/* pages of a slab come sixth, how many slabs there are behind "slabdata" */
		if (sscanf(line, "%63s %*u %*u %*u %*u %llu : %*s %*u %*u %*u : %*s %*u %llu",
			   name, &per_slab, &slabs) == 3 && is_allocators(name))
			sum += per_slab * slabs;
	}
	if (f)
		fclose(f);
	return sum;
}

/* Tables of ours that have no cache of their own; of C zsmalloc's there are none. */
static u64 table_bytes(void)
{
	FILE *f = fopen("/sys/kernel/debug/zsmalloc_rs/stats", "r");
	char name[64];
	u64 value, sum = 0;

	while (f && fscanf(f, "%63s %llu", name, &value) == 2)
		if (!strcmp(name, "tables_bytes") || !strcmp(name, "origins_bytes"))
			sum += value;
	if (f)
		fclose(f);
	return sum;
}

static bool pool_zram(struct sample *s)
{
	char buf[256];
	u64 data, used;

	if (read_file("/sys/block/zram0/mm_stat", buf, sizeof(buf)) ||
	    sscanf(buf, "%*u %llu %llu", &data, &used) != 2)
		return false;
	s->data += data;
	s->pages += used / PAGE;
	return true;
}

static bool pool_zswap(struct sample *s, char *mem, size_t nr, const unsigned short *sizes)
{
	static unsigned char in[1 << 20];
	char buf[32];
	size_t i;

	if (nr > sizeof(in) || mincore(mem, nr * PAGE, in) ||
	    read_file("/sys/kernel/debug/zswap/pool_total_size", buf, sizeof(buf)))
		return false;
	for (i = 0; i < nr; i++)
		s->data += in[i] & 1 ? 0 : sizes[i];
	s->pages += strtoull(buf, NULL, 10) / PAGE;
	return true;
}

static bool take(struct sample *s, bool zram, char *mem, size_t nr, const unsigned short *sizes)
{
	s->slab += cache_pages() + (table_bytes() + PAGE - 1) / PAGE;
	return zram ? pool_zram(s) : pool_zswap(s, mem, nr, sizes);
}

/* In a process of its own: it may be killed for want of memory. */
static bool work(struct sample *s, size_t nr, long writes, bool zram)
{
	char *mem = mmap(NULL, nr * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	unsigned short *sizes = calloc(nr, sizeof(*sizes));
	u64 x = 1;
	size_t i;

	if (mem == MAP_FAILED || !sizes)
		return false;
	for (i = 0; i < nr; i++)
		sizes[i] = page_content((u64 *)(mem + i * PAGE), 0, i);
	for (long n = 1; n <= writes; n++) {
		i = next_random(&x) % nr;
		sizes[i] = page_content((u64 *)(mem + i * PAGE), n, i);
		if (n > writes / 2 && n % (writes / 2 / SAMPLES) == 0 &&
		    !take(s, zram, mem, nr, sizes))
			return false;
	}
	return true;
}

void do_pressure(char **args, struct result *r)
{
	bool zram = !strcmp(arg(args, "device", "zram"), "zram");
	struct sample *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t nr = (arg_num(args, "mb", 300) << 20) / PAGE;
	int status = -1;
	pid_t pid;
	u64 t;

	if (swap_begin(args, r))
		return;
	t = kernel_clock();
	pid = fork();
	if (!pid)
		_exit(!work(s, nr, arg_num(args, "writes", 60000), zram));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status || !s->data)
		r->failed = "pressure: killed, or nothing went out";
	r->ns = kernel_clock() - t;
	r->ops = SAMPLES;
	snprintf(r->notes, sizeof(r->notes), " pages=%llu slab=%llu data=%llu", s->pages,
		 s->slab, s->data);
	munmap(s, sizeof(*s));
	swap_end(args);
}
