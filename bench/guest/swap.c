// SPDX-License-Identifier: GPL-2.0
/*
 * swap what=out|in|munmap|kill mb= processes= device= type= alg=
 *
 * Each process fills its share of the memory, and has it driven out with
 * MADV_PAGEOUT.  What is timed: that (out); having it read in again (in);
 * munmap() of all processes (munmap); or SIGKILL until the last is gone (kill).
 * All check that every page has left memory.  After "in" every byte is compared:
 * one that came back changed is a failure.
 *
 * Pages are made, and read in again, by one madvise() and not by a fault each: a
 * fault of User Mode Linux costs more than all that is measured here.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define MAX_PROCESSES 8

struct child {
	pid_t pid;
	int to, from;	/* pipes, a byte a step */
};

/* Parent and child take turns: "go on", and "done". */
static bool say(int fd, char c)
{
	return write(fd, &c, 1) == 1;
}

static bool hear(int fd, char c)
{
	char got = 0;

	return read(fd, &got, 1) == 1 && got == c;
}

static bool check(char *mem, size_t size, u64 seed)
{
	static u64 wanted[PAGE / 8];
	size_t i;

	for (i = 0; i < size / PAGE; i++) {
		page_content(wanted, seed, i);
		if (memcmp(mem + i * PAGE, wanted, PAGE))
			return false;
	}
	return true;
}

static bool all_out(char *mem, size_t size)
{
	unsigned char *in = malloc(size / PAGE);
	size_t i, left = 0;

	if (mincore(mem, size, in))
		return false;
	for (i = 0; i < size / PAGE; i++)
		left += in[i] & 1;
	free(in);
	return left <= size / PAGE / 1000;
}

static void child(int from, int to, size_t size, u64 seed, const char *what)
{
	char *mem = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	if (mem == MAP_FAILED || madvise(mem, size, MADV_POPULATE_WRITE))
		_exit(1);
	for (i = 0; i < size / PAGE; i++)
		page_content((u64 *)(mem + i * PAGE), seed, i);
	say(to, 'f');
	if (!hear(from, 'o') || madvise(mem, size, MADV_PAGEOUT))
		_exit(2);
	say(to, 'o');
	if (!hear(from, 'c'))
		_exit(3);
	say(to, all_out(mem, size) ? 'c' : '!');
	if (!hear(from, 't'))
		_exit(4);
	if (!strcmp(what, "in"))
		say(to, madvise(mem, size, MADV_POPULATE_READ) ? '!' : 't');
	else
		say(to, munmap(mem, size) ? '!' : 't');
	if (!hear(from, 'v'))
		_exit(5);
	say(to, strcmp(what, "in") || check(mem, size, seed) ? 'v' : '!');
	hear(from, 'e');
	_exit(0);
}

static bool start(struct child *c, size_t size, u64 seed, const char *what)
{
	int to[2], from[2];

	if (pipe(to) || pipe(from))
		return false;
	c->pid = fork();
	if (!c->pid) {
		close(to[1]);
		close(from[0]);
		child(to[0], from[1], size, seed, what);
	}
	close(to[0]);
	close(from[1]);
	c->to = to[1];
	c->from = from[0];
	return c->pid > 0 && hear(c->from, 'f');
}

/* Everybody does this step, at once. */
static bool step(struct child *c, int n, char what)
{
	bool good = true;
	int i;

	for (i = 0; i < n; i++)
		good &= say(c[i].to, what);
	for (i = 0; i < n; i++)
		good &= hear(c[i].from, what);
	return good;
}

static bool end(struct child *c, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kill(c[i].pid, SIGKILL);
	for (i = 0; i < n; i++) {
		waitpid(c[i].pid, NULL, 0);
		close(c[i].to);
		close(c[i].from);
	}
	return true;
}

static bool measure(struct child *c, int n, size_t size, const char *what,
		    struct result *r)
{
	bool out = !strcmp(what, "out"), killed = !strcmp(what, "kill"), good;
	u64 t = kernel_clock();

	if (!step(c, n, 'o'))
		return false;
	if (out)
		r->ns = kernel_clock() - t;
	if (!step(c, n, 'c'))
		return false;
	t = kernel_clock();
	good = killed ? end(c, n) : step(c, n, 't');
	if (!out)
		r->ns = kernel_clock() - t;
	r->ops = size / PAGE;
	if (killed)
		return good;
	good = good && step(c, n, 'v');
	end(c, n);
	return good;
}

void do_swap(char **args, struct result *r)
{
	size_t size = arg_num(args, "mb", 300) << 20;
	int n = arg_num(args, "processes", 1), i;
	const char *what = arg(args, "what", "munmap");
	struct child c[MAX_PROCESSES];
	bool good = true;

	if (n > MAX_PROCESSES || swap_begin(args, r))
		return;
	for (i = 0; i < n && good; i++)
		good = start(&c[i], size / n, i, what);
	if (good)
		good = measure(c, n, size, what, r);
	if (!good) {
		r->failed = "swap: pages were lost, or did not go out";
		end(c, i);
	}
	swap_end(args);
}
