// SPDX-License-Identifier: GPL-2.0
/*
 * memfill MIB PATH...: fill anonymous memory with the content of the files
 * below the given paths, then verify it whenever it is told to.
 *
 * Every page starts with its own number, so that no two are alike and a page
 * that comes back in another one's place is found out.  What a page should
 * hold is kept as a 64-bit hash, in locked memory.  When the files end before
 * the memory does, they are read again from a different offset.  Pages that a
 * compressor could not shrink are left out, because zswap does not store them:
 * it passes them on to the disk.
 *
 * Prints "filled PAGES", then takes commands on standard input:
 *   out      ask the kernel to swap out all of it     -> "out"
 *   verify   read and compare every page              -> "verified PAGES BAD"
 *   unmap    give back all of it, wherever it is      -> "unmapped", and the end
 * and ends with its input.  Exit code 0 only if no page was ever bad.
 */
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t page_size;
static char **paths;

/* Files below the paths, one after the other, as one endless stream. */
struct source {
	FTS *fts;
	int fd;
	unsigned int rounds;
	size_t got;		/* bytes in this round: none means no files */
};

static const char * const packed[] = {
	".gz", ".xz", ".zst", ".bz2", ".png", ".jpg", ".ko", ".deb", ".mo",
};

static int wanted(const FTSENT *ent)
{
	const char *dot = strrchr(ent->fts_name, '.');
	size_t i;

	if (ent->fts_info != FTS_F || ent->fts_statp->st_size < 512)
		return 0;
	for (i = 0; dot && i < sizeof(packed) / sizeof(packed[0]); i++)
		if (!strcmp(dot, packed[i]))
			return 0;
	return 1;
}

static void source_rewind(struct source *s)
{
	if (s->fts) {
		fts_close(s->fts);
		if (!s->got) {
			fprintf(stderr, "memfill: no files to fill memory with\n");
			exit(2);
		}
		s->rounds++;
	}
	s->got = 0;
	s->fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV, NULL);
	if (!s->fts) {
		perror("memfill: fts_open");
		exit(2);
	}
}

static void source_next_file(struct source *s)
{
	FTSENT *ent;

	for (;;) {
		ent = fts_read(s->fts);
		if (!ent) {
			source_rewind(s);
			continue;
		}
		if (!wanted(ent))
			continue;
		s->fd = open(ent->fts_accpath, O_RDONLY | O_NOFOLLOW);
		if (s->fd < 0)
			continue;
		/* Another round cuts the files into pages elsewhere. */
		if (s->rounds)
			lseek(s->fd, s->rounds * 139 % 509, SEEK_SET);
		return;
	}
}

static void source_read(struct source *s, unsigned char *buf, size_t len)
{
	ssize_t n;

	while (len) {
		if (s->fd < 0)
			source_next_file(s);
		n = read(s->fd, buf, len);
		if (n <= 0) {
			/* Nothing of this file may stay in the page cache. */
			posix_fadvise(s->fd, 0, 0, POSIX_FADV_DONTNEED);
			close(s->fd);
			s->fd = -1;
			continue;
		}
		buf += n;
		len -= n;
		s->got += n;
	}
}

/*
 * Would an LZ compressor save a sixteenth?  A guess that errs on the low side:
 * each match costs five bytes, and like lzo and lz4 it looks less and less
 * closely the longer it has found nothing.
 */
static int compressible(const unsigned char *buf, size_t len)
{
	uint16_t seen[4096] = { 0 };
	size_t i = 1, literals = 1, saved = 0;

	while (i + 4 < len) {
		uint32_t four;
		size_t at, n = 0;

		memcpy(&four, buf + i, 4);
		four = (four * 2654435761u) >> 20;
		at = seen[four];
		seen[four] = i;
		while (i + n < len && buf[at + n] == buf[i + n])
			n++;
		if (n > 5) {
			saved += n - 5;
			i += n;
			literals = i;
		} else {
			i += 1 + ((i - literals) >> 5);
		}
	}
	return saved > len / 16;
}

static uint64_t hash(const unsigned char *buf)
{
	uint64_t h = 0x9e3779b97f4a7c15ull, w;
	size_t i;

	for (i = 0; i < page_size; i += sizeof(w)) {
		memcpy(&w, buf + i, sizeof(w));
		h = (h ^ w) * 0xbf58476d1ce4e5b9ull;
		h ^= h >> 29;
	}
	return h;
}

static void fill(unsigned char *mem, uint64_t *hashes, size_t pages)
{
	struct source s = { .fd = -1 };
	size_t i, skipped = 0;

	source_rewind(&s);
	for (i = 0; i < pages; i++) {
		unsigned char *page = mem + i * page_size;
		uint64_t tag = i;

		do {
			source_read(&s, page + sizeof(tag),
				    page_size - sizeof(tag));
		} while (!compressible(page, page_size) && ++skipped);
		memcpy(page, &tag, sizeof(tag));
		hashes[i] = hash(page);
	}
	printf("filled %zu rounds %u skipped %zu\n", pages, s.rounds + 1, skipped);
}

static size_t verify(unsigned char *mem, const uint64_t *hashes, size_t pages)
{
	size_t i, bad = 0;
	uint64_t tag;

	for (i = 0; i < pages; i++) {
		if (hash(mem + i * page_size) == hashes[i])
			continue;
		memcpy(&tag, mem + i * page_size, sizeof(tag));
		if (bad++ < 10)
			fprintf(stderr, "memfill: page %zu differs, its tag says %llu\n",
				i, (unsigned long long)tag);
	}
	printf("verified %zu %zu\n", pages, bad);
	return bad;
}

static void *map(size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED) {
		perror("memfill: mmap");
		exit(2);
	}
	/* zswap does not take large folios in this kernel. */
	madvise(mem, len, MADV_NOHUGEPAGE);
	return mem;
}

int main(int argc, char **argv)
{
	size_t len, pages, bad = 0;
	unsigned char *mem;
	uint64_t *hashes;
	char line[64];

	if (argc < 3) {
		fprintf(stderr, "usage: %s MIB PATH...\n", argv[0]);
		return 2;
	}
	page_size = sysconf(_SC_PAGESIZE);
	len = strtoull(argv[1], NULL, 0) << 20;
	pages = len / page_size;
	paths = argv + 2;
	setvbuf(stdout, NULL, _IOLBF, 0);

	mem = map(len);
	hashes = map(pages * sizeof(*hashes));
	if (mlock(hashes, pages * sizeof(*hashes)))
		perror("memfill: mlock");
	fill(mem, hashes, pages);

	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "verify\n")) {
			bad += verify(mem, hashes, pages);
		} else if (!strcmp(line, "out\n")) {
			if (madvise(mem, len, MADV_PAGEOUT))
				perror("memfill: MADV_PAGEOUT");
			puts("out");
		} else if (!strcmp(line, "unmap\n")) {
			if (munmap(mem, len))
				perror("memfill: munmap");
			puts("unmapped");
			break;
		} else {
			fprintf(stderr, "memfill: no command %s", line);
			return 2;
		}
	}
	return !!bad;
}
