// SPDX-License-Identifier: GPL-2.0
/*
 * The content of pages that are swapped.
 */
#include "guest.h"

u64 next_random(u64 *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* The first part cannot be compressed, from 1/32 to 3/4 of the page; the rest repeats. */
size_t page_content(u64 *page, u64 seed, size_t nr)
{
	u64 x = (seed + 1) * 0x9e3779b97f4a7c15ull + nr * 0xbf58476d1ce4e5b9ull + 1;
	size_t random = 16 + next_random(&x) % 369, i;

	for (i = 0; i < PAGE / 8; i++)
		page[i] = i < random ? next_random(&x) : nr;
	/* of literals and of repetition each 255 bytes take one for the length */
	return random * 8 + PAGE / 255 + 16;
}
