/*
 * fuzz_pairs.c - fuzzes the parser of name-value pairs
 *
 * The input is a stream of pairs.  It is read by fcgi_parse_pair() with several
 * limits, by cgi_params_decode(), and as the content of FCGI_GET_VALUES.
 */
#include <errno.h>

#include "base/util.h"
#include "fuzz.h"
#include "proto/cgi.h"

/* FastCGI 1.0, section 3.4, in 64 bits; returns the bytes of a length, 0 =
 * incomplete. */
static size_t
read_length(const uint8_t *p, size_t len, uint64_t *ret_n)
{
	size_t i, bytes = len > 0 && p[0] & 0x80 ? 4 : 1;

	if (len < bytes)
		return 0;
	*ret_n = bytes == 1 ? p[0] : p[0] & 0x7f;
	for (i = 1; i < bytes; i++)
		*ret_n = *ret_n * 256 + p[i];
	return bytes;
}

/* Returns what fcgi_parse_pair() must return. */
static int64_t
read_pair(const uint8_t *p, size_t len, uint64_t max)
{
	uint64_t name, value;
	size_t a, b;

	a = read_length(p, len, &name);
	if (!a)
		return 0;
	if (name > max)
		return -EMSGSIZE;
	b = read_length(p + a, len - a, &value);
	if (!b)
		return 0;
	if (name + value > max)
		return -EMSGSIZE;
	return a + b + name + value <= len ? (int64_t)(a + b + name + value) :
					     0;
}

/* Asserts that encoding the pair again gives an equal pair that is not
 * longer. */
static void
check_again(const struct fcgi_pair *pair, size_t used)
{
	size_t size = fcgi_pair_size(pair->name_len, pair->value_len);
	uint8_t *p = malloc(size);
	struct fcgi_pair again;

	CHECK(p && size > 0 && size <= used);
	CHECK(fcgi_put_pair(p, pair->name, pair->name_len, pair->value,
		      pair->value_len) == p + size);
	CHECK(fcgi_parse_pair(p, size, pair->name_len + pair->value_len,
		      &again) == (int)size);
	CHECK(again.name_len == pair->name_len);
	CHECK(again.value_len == pair->value_len);
	CHECK(memcmp(again.name, pair->name, pair->name_len) == 0);
	CHECK(memcmp(again.value, pair->value, pair->value_len) == 0);
	if (size == used)
		CHECK(memcmp(p, pair->name - (used - pair->name_len -
					     pair->value_len), size) == 0);
	free(p);
}

/* Asserts that the parser waits for an incomplete pair, however little has
 * arrived. */
static void
check_cuts(const uint8_t *p, size_t used, size_t max)
{
	struct fcgi_pair pair = {0};
	uint8_t *part;
	size_t n;

	for (n = 0; n < used; n++) {
		if (n == 12 && used > 24)
			n = used - 12;
		part = fuzz_copy(p, n);
		CHECK(fcgi_parse_pair(part, n, max, &pair) == 0);
		CHECK(!pair.name && !pair.value);
		free(part);
	}
}

static void
check_pairs(const uint8_t *p, size_t len, size_t max)
{
	struct fcgi_pair pair;
	int64_t want;
	int used;

	do {
		pair = (struct fcgi_pair){0};
		want = read_pair(p, len, max);
		used = fcgi_parse_pair(p, len, max, &pair);
		CHECK(used == want);
		if (used <= 0) {
			CHECK(!pair.name && !pair.value);
			break;
		}
		CHECK(pair.name >= p + 2 && pair.value >= pair.name);
		CHECK((size_t)(pair.value - pair.name) == pair.name_len);
		CHECK(pair.value + pair.value_len == p + used);
		CHECK(pair.name_len + pair.value_len <= max);
		check_again(&pair, (size_t)used);
		check_cuts(p, (size_t)used, max);
		p += used;
		len -= (size_t)used;
	} while (true);
}

/* Returns the value of the last pair with this name; NULL if there is none. */
static const uint8_t *
last_value(const uint8_t *p, size_t len, const char *name, size_t *ret_len)
{
	const uint8_t *value = NULL;
	struct fcgi_pair pair;
	int used;

	while ((used = fcgi_parse_pair(p, len, CGI_PARAMS_MAX, &pair)) > 0) {
		if (pair.name_len == strlen(name) &&
			memcmp(pair.name, name, pair.name_len) == 0) {
			value = pair.value;
			*ret_len = pair.value_len;
		}
		p += used;
		len -= (size_t)used;
	}
	return value;
}

static void
check_decoded(const struct cgi_params *params, const uint8_t *p, size_t len)
{
	const struct fcgi_pair *pair;
	const uint8_t *value;
	size_t i, n = 0;
	char *name;

	CHECK(params->n <= CGI_PAIRS_MAX);
	for (i = 0; i < params->n; i++) {
		pair = &params->pair[i];
		CHECK(!memchr(pair->name, '\0', pair->name_len));
		CHECK(!memchr(pair->value, '\0', pair->value_len));
		name = strndup((const char *)pair->name, pair->name_len);
		CHECK(name);
		/* Each name occurs once, with the value sent last. */
		CHECK(cgi_params_find(params, name) == pair);
		value = last_value(p, len, name, &n);
		CHECK(value == pair->value && n == pair->value_len);
		free(name);
	}
}

static void
check_decode(const uint8_t *p, size_t len)
{
	static struct cgi_params params;
	const char *why = NULL;
	int status = cgi_params_decode(p, len, &params, &why);
	const uint8_t *end = p + len;
	int64_t used;

	CHECK(status == 0 || status == 400 || status == 431);
	CHECK((status != 0) == (why != NULL));
	if (status == 0) {
		check_decoded(&params, p, len);
		while ((used = read_pair(p, (size_t)(end - p),
				CGI_PARAMS_MAX)) > 0)
			p += used;
		CHECK(p == end);
	}
}

/* Asserts that the answer to FCGI_GET_VALUES (section 4.1) is one whole
 * record. */
static void
check_values(const uint8_t *query, size_t query_len)
{
	static const char *const names[] = {
		"FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS"};
	const uint32_t seed = fuzz_seed(query, query_len);
	const struct fcgi_values v = {seed, seed >> seed % 32, seed & 2};
	const unsigned numbers[] = {v.max_conns, v.max_reqs, v.mpxs_conns};
	uint8_t *rec = malloc(FCGI_VALUES_MAX), *p = rec + FCGI_HEADER_LEN;
	size_t len = fcgi_answer_values(rec, query, query_len, &v);
	size_t i, value_len = 0, size = FCGI_HEADER_LEN;
	struct fcgi_header h;
	const uint8_t *value;
	char text[16];

	CHECK(rec && len <= FCGI_VALUES_MAX && len % 8 == 0);
	CHECK(fcgi_parse_header(rec, len, &h) == FCGI_HEADER_LEN);
	CHECK(h.type == FCGI_GET_VALUES_RESULT && h.id == 0);
	CHECK(len == FCGI_HEADER_LEN + (size_t)h.content_len + h.padding_len);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		value = last_value(p, h.content_len, names[i], &value_len);
		CHECK(!value ==
			!last_value(query, query_len, names[i], &value_len));
		if (!value)
			continue;
		(void)last_value(p, h.content_len, names[i], &value_len);
		snprintf(text, sizeof(text), "%u", numbers[i]);
		CHECK(value_len == strlen(text));
		CHECK(memcmp(value, text, value_len) == 0);
		size += fcgi_pair_size(strlen(names[i]), value_len);
	}
	/* Every value in the answer was asked for, and occurs once. */
	CHECK(size == FCGI_HEADER_LEN + (size_t)h.content_len);
	for (; size < len; size++)
		CHECK(rec[size] == 0);
	free(rec);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const size_t limits[] = {0, 20, 200, CGI_PARAMS_MAX,
		(1 << 30) - 1};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++)
		check_pairs(data, len, limits[i]);
	check_decode(data, len);
	check_values(data, len);
	return 0;
}
