/*
 * fuzz.h - functions that the fuzz targets share
 *
 * A target is one file with LLVMFuzzerTestOneInput().  `make fuzz` links it
 * with libFuzzer.  `make check` links it with replay.c, which runs the files of
 * t/fuzz/corpus/.  A target asserts by CHECK().  It computes expected results
 * in its own, simpler way.
 */
#ifndef FCGIPM_T_FUZZ_H
#define FCGIPM_T_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define CHECK(claim)                                                           \
	do {                                                                   \
		if (!(claim)) {                                                \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__,     \
				__LINE__, #claim);                             \
			abort();                                               \
		}                                                              \
	} while (0)

/* Copies the input to a block of its size, so that ASan sees an overrun. */
static inline uint8_t *
fuzz_copy(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	CHECK(copy);
	if (len)
		memcpy(copy, p, len);
	return copy;
}

/* A number derived from the input: where to cut, which limit to set. */
static inline uint32_t
fuzz_seed(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261U;

	while (len-- > 0)
		h = (h ^ *p++) * 16777619U;
	return h | 1;
}

/* Returns the next number, 0 to below - 1 (Marsaglia's xorshift). */
static inline size_t
fuzz_next(uint32_t *seed, size_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % below;
}

/* How an input is cut: in one piece, in single bytes, at random. */
enum fuzz_cut { FUZZ_WHOLE, FUZZ_BYTES, FUZZ_RANDOM, FUZZ_CUTS };

/* Returns the length of the next piece, 1 to left. */
static inline size_t
fuzz_piece(enum fuzz_cut cut, size_t left, uint32_t *seed)
{
	size_t most = left;

	if (cut == FUZZ_WHOLE)
		return left;
	if (cut == FUZZ_BYTES)
		return 1;
	/* Short pieces cut at more positions; a long one contains more of
	 * them. */
	if (left > 12 && fuzz_next(seed, 4))
		most = 12;
	return 1 + fuzz_next(seed, most);
}

#endif
