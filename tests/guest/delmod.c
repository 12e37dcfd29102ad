// SPDX-License-Identifier: GPL-2.0
/*
 * delmod MODULE: ask the kernel itself to unload a module.  rmmod looks at the
 * reference count first and then never asks, which leaves the kernel's own
 * refusal untested.  Prints the error; exit code 1 if there was one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s MODULE\n", argv[0]);
		return 2;
	}
	if (!syscall(SYS_delete_module, argv[1], O_NONBLOCK))
		return 0;
	switch (errno) {
	case EAGAIN:
		puts("EAGAIN");
		break;
	case EBUSY:
		puts("EBUSY");
		break;
	default:
		puts(strerror(errno));
	}
	return 1;
}
