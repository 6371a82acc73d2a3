/*
 * client.c - a FastCGI client for tests; see world.h
 *
 * Its records are written by hand from FastCGI 1.0, section 3, and do not use
 * the code under test.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <time.h>

#include "own.h"
#include "world.h"

static double
now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* "name" in the directory, "@name", "1.2.3.4:80" or "[::1]:80". */
static socklen_t
make_address(const struct world *w, const char *address,
	struct sockaddr_storage *sa)
{
	struct sockaddr_un *un = (struct sockaddr_un *)sa;
	struct sockaddr_in *in = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
	const char *colon = strrchr(address, ':');
	char host[64];

	if (address[0] == '@') {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path + 1, address + 1, strlen(address + 1));
		return (socklen_t)(sizeof(sa_family_t) + strlen(address));
	}
	if (!colon) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%.*s/%.*s", 80,
			w->dir, 24, address);
		return sizeof(*un);
	}
	if (address[0] == '[') {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)atoi(colon + 1));
		snprintf(host, sizeof(host), "%.*s",
			(int)(colon - address - 2), address + 1);
		cr_assert_eq(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)atoi(colon + 1));
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	cr_assert_eq(inet_pton(AF_INET, host, &in->sin_addr), 1);
	return sizeof(*in);
}

int
client_try(const struct world *w, const char *address)
{
	struct sockaddr_storage sa = {0};
	socklen_t len = make_address(w, address, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), saved;

	cr_assert_geq(fd, 0);
	if (connect(fd, (struct sockaddr *)&sa, len) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
client_connect(const struct world *w, const char *address)
{
	int fd = client_try(w, address);

	cr_assert_geq(fd, 0, "%s: %s", address, strerror(errno));
	return own_socket(fd);
}

size_t
client_drain(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t total = 0;
	char buf[65536];
	ssize_t n;

	for (;;) {
		cr_assert_gt(poll(&p, 1, WORLD_PATIENCE_MS), 0,
			"the peer did not close");
		n = recv(fd, buf, sizeof(buf), 0);
		if (n <= 0)
			return total;
		total += (size_t)n;
	}
}

void
client_read_bytes(int fd, void *to, size_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	size_t have = 0;
	ssize_t n;

	while (have < len) {
		cr_assert_gt(poll(&p, 1, WORLD_PATIENCE_MS), 0,
			"received %zu of %zu bytes", have, len);
		n = recv(fd, (uint8_t *)to + have, len - have, 0);
		cr_assert_gt(n, 0, "closed after %zu of %zu bytes", have,
			len);
		have += (size_t)n;
	}
}

void
client_expect_bytes(int fd, const void *want, size_t len)
{
	const uint8_t *w = want;
	uint8_t got[512];
	size_t i;

	cr_assert_leq(len, sizeof(got));
	client_read_bytes(fd, got, len);
	for (i = 0; i < len; i++)
		cr_assert_eq(got[i], w[i], "byte %zu is %02x, not %02x", i,
			got[i], w[i]);
}

void
client_send(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		cr_assert_gt(n, 0, "send: %s", strerror(errno));
		at += n;
		len -= (size_t)n;
	}
}

/* The padding is a trap: read as records, it aborts the request. */
static size_t
put_record(uint8_t *to, int type, int id, const void *p, size_t len,
	unsigned padding)
{
	const uint8_t head[8] = {1, (uint8_t)type, (uint8_t)(id >> 8),
		(uint8_t)id, (uint8_t)(len >> 8), (uint8_t)len,
		(uint8_t)padding, 0};
	const uint8_t trap[8] = {1, ABORT, head[2], head[3]};
	unsigned i;

	memcpy(to, head, 8);
	if (len)
		memcpy(to + 8, p, len);
	for (i = 0; i < padding; i++)
		to[8 + len + i] = trap[i % 8];
	return 8 + len + padding;
}

void
client_record(int fd, int type, int id, const void *p, size_t len,
	unsigned padding)
{
	static uint8_t buf[8 + 65535 + 255];

	cr_assert_leq(len, 65535);
	client_send(fd, buf, put_record(buf, type, id, p, len, padding));
}

static size_t
put_length(uint8_t *to, size_t len)
{
	if (len < 128) {
		to[0] = (uint8_t)len;
		return 1;
	}
	to[0] = (uint8_t)(0x80 | len >> 24);
	to[1] = (uint8_t)(len >> 16);
	to[2] = (uint8_t)(len >> 8);
	to[3] = (uint8_t)len;
	return 4;
}

static size_t
put_params(uint8_t *to, size_t max, const char *const *params)
{
	size_t n = 0;

	for (; *params; params++) {
		const char *eq = strchr(*params, '=');
		size_t name = (size_t)(eq - *params), value = strlen(eq + 1);

		cr_assert_leq(n + name + value + 8, max);
		n += put_length(to + n, name);
		n += put_length(to + n, value);
		memcpy(to + n, *params, name);
		n += name;
		memcpy(to + n, eq + 1, value);
		n += value;
	}
	return n;
}

void
client_begin_role(int fd, int id, int role, int flags,
	const char *const *params)
{
	const uint8_t begin[8] = {(uint8_t)(role >> 8), (uint8_t)role,
		(uint8_t)flags};
	static uint8_t buf[65535];

	client_record(fd, BEGIN, id, begin, 8, 0);
	if (*params)
		client_record(fd, PARAMS, id, buf,
			put_params(buf, sizeof(buf), params), 0);
	client_record(fd, PARAMS, id, NULL, 0, 0);
}

void
client_body(int fd, const char *text)
{
	client_record(fd, STDIN, 1, text, strlen(text), 0);
	client_record(fd, STDIN, 1, NULL, 0, 0);
}

void
client_begin(int fd, int id, int flags, const char *const *params)
{
	client_begin_role(fd, id, 1, flags, params);
}

void
client_read_record(int fd, struct record *ret)
{
	uint8_t h[8], padding[255];

	client_read_bytes(fd, h, 8);
	cr_assert_eq(h[0], 1, "record version %d", h[0]);
	ret->type = h[1];
	ret->id = h[2] << 8 | h[3];
	ret->len = (size_t)h[4] << 8 | h[5];
	client_read_bytes(fd, ret->content, ret->len);
	ret->content[ret->len] = '\0';
	client_read_bytes(fd, padding, h[6]);
}

static void
append(char **to, size_t *len, const uint8_t *p, size_t n)
{
	*to = realloc(*to, *len + n + 1);
	cr_assert_not_null(*to);
	memcpy(*to + *len, p, n);
	*len += n;
	(*to)[*len] = '\0';
}

/* Reads whole records from buf; returns the number of bytes read. */
static size_t
take_records(struct answer *a, const uint8_t *buf, size_t have, bool first)
{
	size_t at = 0;

	while (have - at >= 8 && !a->ended) {
		const uint8_t *h = buf + at;
		size_t len = (size_t)h[4] << 8 | h[5], all = 8 + len + h[6];

		cr_assert_eq(h[0], 1, "record version");
		if (have - at < all)
			break;
		if (h[1] == STDOUT)
			append(&a->out, &a->out_len, h + 8, len);
		if (h[1] == STDERR)
			append(&a->err, &a->err_len, h + 8, len);
		if (h[1] == END) {
			cr_assert_eq(len, 8);
			a->ended = true;
			a->app_status = (uint32_t)h[8] << 24 |
				(uint32_t)h[9] << 16 | (uint32_t)h[10] << 8 |
				h[11];
			a->protocol_status = h[12];
			a->end_with_output = first;
		}
		at += all;
	}
	return at;
}

void
client_ask(int fd, int flags, const char *const *params)
{
	client_begin(fd, 1, flags, params);
	client_record(fd, STDIN, 1, NULL, 0, 0);
}

struct answer
client_get(int fd, int flags, const char *const *params)
{
	client_ask(fd, flags, params);
	return client_read(fd);
}

static size_t
at_most(size_t n, size_t max)
{
	return max && n > max ? max : n;
}

/* The body of a request while it is sent. */
struct upload {
	const struct client_pace *pace;
	const uint8_t *body;	/* what is not in a record yet */
	size_t len;
	uint8_t record[8 + 65535 + 255];	/* the one that is being sent */
	size_t size, at;
	uint32_t random;
	bool ended;		/* no record follows */
};

/* Returns the size of the next FCGI_STDIN. */
static size_t
next_part(struct upload *u)
{
	size_t part = u->pace->record;

	if (part == 0) {
		u->random = u->random * 1664525 + 1013904223;
		part = 1 + (u->random >> 8) % 65535;
	}
	return u->len < part ? u->len : part;
}

/* Writes the next record if the one before is sent; returns whether there is
 * something to send. */
static bool
prepare_record(struct upload *u)
{
	size_t part;

	if (u->at == u->size && !u->ended) {
		part = next_part(u);
		u->size = put_record(u->record, STDIN, 1, u->body, part,
			u->pace->padding);
		u->at = 0;
		u->body += part;
		u->len -= part;
		u->ended = part == 0;
	}
	return u->at < u->size;
}

/* Sends what the socket accepts of the record. */
static void
send_some(struct upload *u, int fd)
{
	ssize_t n = send(fd, u->record + u->at,
		at_most(u->size - u->at, u->pace->send_max),
		MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN) {
		/* The answer arrived before the end of the body. */
		u->ended = true;
		u->at = u->size;
	}
	u->at += n > 0 ? (size_t)n : 0;
}

struct answer
client_converse(int fd, const uint8_t *body, size_t len,
	const struct client_pace *pace)
{
	static uint8_t buf[262144];
	static struct upload u;
	struct answer a = {.out = calloc(1, 1), .err = calloc(1, 1)};
	size_t have = 0, used;
	bool first = true;
	double begin = now_s();

	u.pace = pace;
	u.body = body;
	u.len = len;
	u.size = u.at = 0;
	u.random = 1;
	u.ended = body == NULL;
	while (!a.ended) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		ssize_t n;

		if (prepare_record(&u))
			p.events |= POLLOUT;
		cr_assert_gt(poll(&p, 1, WORLD_PATIENCE_MS), 0, "no answer");
		if (pace->on_turn)
			pace->on_turn(pace->arg);
		if (p.revents & POLLOUT)
			send_some(&u, fd);
		if (!(p.revents & (POLLIN | POLLHUP | POLLERR)))
			continue;
		n = recv(fd, buf + have,
			at_most(sizeof(buf) - have, pace->recv_max),
			MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			break;
		have += (size_t)n;
		used = take_records(&a, buf, have, first);
		memmove(buf, buf + used, have - used);
		have -= used;
		first = false;
	}
	a.seconds = now_s() - begin;
	own_memory(a.out);
	own_memory(a.err);
	return a;
}

/* As web servers do: with the largest records, and as fast as the socket
 * accepts. */
static struct answer
converse(int fd, const uint8_t *body, size_t len)
{
	static const struct client_pace pace = {.record = 65535};

	return client_converse(fd, body, len, &pace);
}

struct answer
client_read(int fd)
{
	return converse(fd, NULL, 0);
}

void
answer_free(struct answer *a)
{
	own_free(a->out);
	own_free(a->err);
	*a = (struct answer){0};
}

struct answer
client_call(const struct world *w, const char *address,
	const char *const *params, const void *body, size_t len)
{
	int fd = client_connect(w, address);
	const char *all[64];
	char length[64];
	size_t n = 0;
	struct answer a;

	all[n++] = body ? "REQUEST_METHOD=POST" : "REQUEST_METHOD=GET";
	all[n++] = "SCRIPT_NAME=/test";
	all[n++] = "SERVER_PROTOCOL=HTTP/1.1";
	if (body) {
		snprintf(length, sizeof(length), "CONTENT_LENGTH=%zu", len);
		all[n++] = length;
	}
	for (; *params && n < 63; params++)
		all[n++] = *params;
	all[n] = NULL;
	client_begin(fd, 1, 0, all);
	a = converse(fd, body ? body : (const uint8_t *)"", len);
	close(fd);
	return a;
}

struct answer
client_script(const struct world *w, const char *address, const char *script,
	const char *query)
{
	char file[700], q[300];
	const char *params[] = {q, file, NULL};

	snprintf(q, sizeof(q), "QUERY_STRING=%s", query ? query : "");
	snprintf(file, sizeof(file), "SCRIPT_FILENAME=%s",
		script ? script : "");
	if (!script)
		params[1] = NULL;
	return client_call(w, address, params, NULL, 0);
}

const char client_crowd_script[] = "#!/bin/sh\n"
	"mkdir @DIR@/run.$$\n"
	"printf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
	"set -- @DIR@/run.*; echo \"running: $#\"\n"
	"sleep 0.03\n"
	"rmdir @DIR@/run.$$\n";

long
client_crowd(const struct world *w, const char *address)
{
	const char *none[] = {NULL};
	int fds[24], i;
	long most = 0;

	for (i = 0; i < 24; i++) {
		fds[i] = client_connect(w, address);
		client_begin(fds[i], 1, 0, none);
		client_record(fds[i], STDIN, 1, NULL, 0, 0);
	}
	for (i = 0; i < 24; i++) {
		struct answer a = client_read(fds[i]);
		long n = answer_number(&a, "running");

		most = n > most ? n : most;
		answer_free(&a);
		close(fds[i]);
	}
	return most;
}

void
answer_expect(struct answer a, const char *text)
{
	cr_assert(a.ended, "no END_REQUEST; got:\n%s", a.out);
	cr_expect(strstr(a.out, text), "no \"%s\" in:\n%.2000s", text, a.out);
}

void
client_expect_503(int fd, const char *retry_after)
{
	struct answer a = client_read(fd);

	answer_expect(a, "Status: 503 Service Unavailable\r\n");
	answer_expect(a, retry_after);
	cr_expect(a.ended);
	cr_expect_eq(a.app_status, 0);
	cr_expect_eq(a.protocol_status, 0);
	answer_free(&a);
	close(fd);
}

long
answer_number(const struct answer *a, const char *label)
{
	char want[64], *at;

	snprintf(want, sizeof(want), "%s: ", label);
	at = strstr(a->out, want);
	cr_assert(at, "no \"%s\" in:\n%.2000s", want, a->out);
	return strtol(at + strlen(want), NULL, 10);
}

size_t
client_put_request(uint8_t *to, size_t max, int flags,
	const char *const *params, const void *body, size_t len)
{
	const uint8_t begin[8] = {0, 1, (uint8_t)flags};
	static uint8_t pairs[65535];
	size_t n, size = put_params(pairs, sizeof(pairs), params);

	cr_assert_leq(16 + 8 + size + 8 + 8 + len + 8, max);
	n = put_record(to, BEGIN, 1, begin, 8, 0);
	n += put_record(to + n, PARAMS, 1, pairs, size, 0);
	n += put_record(to + n, PARAMS, 1, NULL, 0, 0);
	if (len > 0)
		n += put_record(to + n, STDIN, 1, body, len, 0);
	return n + put_record(to + n, STDIN, 1, NULL, 0, 0);
}
