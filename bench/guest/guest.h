/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The user space of a benchmark's guest: one static program, its init.
 */
#ifndef ZB_GUEST_H
#define ZB_GUEST_H

#include <stdbool.h>
#include <stddef.h>

typedef unsigned long long u64;

/* The result of one command: "ok ns=N ops=N", as the kernel module gives it. */
struct result {
	u64 ns;
	u64 ops;
	char notes[256];
	const char *failed;
};

/* A command's arguments, key=value. */
const char *arg(char **args, const char *key, const char *def);
long arg_num(char **args, const char *key, long def);

int write_file(const char *path, const char *value);
int read_file(const char *path, char *buf, size_t size);
u64 kernel_clock(void);

/* content.c: what is put into pages; how many bytes lz4 makes of it, about. */
#define PAGE 4096
u64 next_random(u64 *x);
size_t page_content(u64 *page, u64 seed, size_t nr);

/* swapdev.c: swap on a new zram device, or through zswap. */
int swap_begin(char **args, struct result *r);
void swap_end(char **args);
int zram_begin(char **args, const char *size, struct result *r);
void zram_end(void);

/* Commands that are not the kernel module's, by name. */
void do_swap(char **args, struct result *r);
void do_pressure(char **args, struct result *r);
void do_fio(char **args, struct result *r);

#endif /* ZB_GUEST_H */
