// SPDX-License-Identifier: GPL-2.0
/*
 * writeonce FILE: write standard input, of up to a megabyte, to the file with one
 * write(2), whatever is in it.  Prints "ok" or the name of the error.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char value[1 << 20];

int main(int argc, char **argv)
{
	size_t len = 0;
	ssize_t n;
	int fd;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	while (len < sizeof(value) && (n = read(0, value + len, sizeof(value) - len)) > 0)
		len += n;
	fd = open(argv[1], O_WRONLY);
	puts(fd < 0 || write(fd, value, len) < 0 ? strerrorname_np(errno) : "ok");
	return 0;
}
