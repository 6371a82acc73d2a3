/*
 * stream.c - large bodies for t/children/stream, and its gate; see stream.h
 */
#include "stream.h"

#define HEADER "Content-Type: text/plain\r\n\r\n"
#define HEADER_LEN (sizeof(HEADER) - 1)

struct target
stream_start(const char *keys)
{
	char all[1000];
	struct target t;

	snprintf(all, sizeof(all), "env[GATE] = @DIR@/gate\n%s", keys);
	t = hostile_start_child("stream", all);
	/* The user of the program reads it. */
	cr_assert_eq(mkfifo(world_path(t.w, "gate"), 0600), 0);
	cr_assert_eq(chmod(world_path(t.w, "gate"), 0644), 0);
	return t;
}

void
stream_open_gate(struct target *t, const char *bytes)
{
	/* The descriptor stays open, so that bytes that are not read yet are
	 * kept. */
	static int fd = -1;
	size_t len = strlen(bytes);

	if (fd < 0)
		fd = open(world_path(t->w, "gate"), O_RDWR | O_CLOEXEC);
	cr_assert_geq(fd, 0, "gate: %s", strerror(errno));
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
}

int
stream_begin(struct target *t, const char *address, int flags,
	const char *query, size_t content_length)
{
	int fd = client_connect(t->w, address);
	char q[100], length[64];
	const char *params[] = {q, length, NULL};

	snprintf(q, sizeof(q), "QUERY_STRING=%s", query);
	snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", content_length);
	if (content_length == 0)
		params[1] = NULL;
	client_begin(fd, 1, flags, params);
	return fd;
}

int
stream_get(struct target *t, const char *query)
{
	int fd = stream_begin(t, "www.sock", 0, query, 0);

	client_record(fd, 5, 1, NULL, 0, 0);
	return fd;
}

uint8_t *
stream_pattern(size_t len)
{
	uint8_t *p = malloc(len);
	size_t i;

	cr_assert_not_null(p);
	for (i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 31 + (i >> 8) * 17 + (i >> 16) * 7);
	return p;
}

void
stream_expect(const struct answer *a, size_t len)
{
	uint8_t *want = stream_pattern(len);
	size_t i = 0;

	cr_assert(a->ended, "no END_REQUEST after %zu bytes", a->out_len);
	cr_assert_eq(a->out_len, HEADER_LEN + len, "%zu bytes, expected %zu",
		a->out_len, HEADER_LEN + len);
	cr_assert_eq(memcmp(a->out, HEADER, HEADER_LEN), 0);
	if (memcmp(a->out + HEADER_LEN, want, len) != 0)
		while ((uint8_t)a->out[HEADER_LEN + i] == want[i])
			i++;
	else
		i = len;
	cr_assert_eq(i, len, "byte %zu is different", i);
	free(want);
}

/* If the gateway sleeps while its programs sleep, none of them has work
 * left. */
static bool
is_settled(void *arg)
{
	const struct target *t = arg;
	const char *key = "voluntary_ctxt_switches";
	long before = atol(world_proc_status(t->gateway, key));
	pid_t programs[64];
	size_t n, i;

	if (*world_proc_status(t->gateway, "State") != 'S')
		return false;
	n = world_children(t->gateway, programs, 64);
	for (i = 0; i < n && i < 64; i++)
		if (!strchr("ST", *world_proc_status(programs[i], "State")))
			return false;
	return *world_proc_status(t->gateway, "State") == 'S' &&
		atol(world_proc_status(t->gateway, key)) == before;
}

void
stream_settle(struct target *t)
{
	world_until(is_settled, t, "the gateway and its programs sleep");
}
