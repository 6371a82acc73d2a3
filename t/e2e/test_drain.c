/*
 * test_drain.c - a stop under load: every connected client gets its complete
 * answer, every other one is refused at once
 */
#include <pthread.h>
#include <stdatomic.h>

#include "world.h"

#define CLIENTS 6
#define ROUNDS 12

struct storm {
	const struct world *w;
	const char *address;
	atomic_long served, lost;	/* answers, and connections without */
	atomic_bool over;
};

/* A request without parameters, as one write. */
static const char request[] =
	"\1\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0"
	"\1\4\0\1\0\0\0\0"
	"\1\5\0\1\0\0\0\0";

/* Is the answer complete?  It ends with END_REQUEST, status 0. */
static bool
is_answered(int fd)
{
	static const char end[] = "\1\3\0\1\0\10\0\0" "\0\0\0\0\0";
	char buf[4096];
	size_t have = 0;
	ssize_t n;

	if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) < 0)
		return false;
	while ((n = recv(fd, buf + have, sizeof(buf) - have, 0)) > 0)
		have += (size_t)n;
	return have > 40 && memmem(buf, have, "Hello", 5) &&
		memcmp(buf + have - 16, end, sizeof(end) - 1) == 0;
}

static void *
hammer(void *arg)
{
	struct storm *s = arg;

	while (!atomic_load(&s->over)) {
		int fd = client_try(s->w, s->address);

		if (fd < 0)
			continue;
		if (is_answered(fd))
			atomic_fetch_add(&s->served, 1);
		else
			atomic_fetch_add(&s->lost, 1);
		close(fd);
	}
	return NULL;
}

static bool
has_served_some(void *arg)
{
	struct storm *s = arg;

	return atomic_load(&s->served) >= 50;
}

static void
make_ini(char *ini, size_t size, const char *mode, bool tcp,
	const char *handler)
{
	snprintf(ini, size,
		"[www]\n"
		"mode = %s\n"
		"listen = %s\n"
		"handler = @BIN@/handlers/%s\n"
		"pm.max_children = 3\n", mode,
		tcp ? "@PORT@" : "@DIR@/www.sock", handler);
}

static void
check_storm(const char *mode, bool tcp)
{
	struct world *w = world_open();
	const char *address = tcp ? w->tcp : "www.sock";
	char ini[400];
	pthread_t threads[CLIENTS];
	int round, i;

	make_ini(ini, sizeof(ini), mode, tcp, "hello");
	for (round = 0; round < ROUNDS; round++) {
		struct storm s = {.w = w, .address = address};

		world_start(w, ini);
		for (i = 0; i < CLIENTS; i++)
			cr_assert_eq(pthread_create(&threads[i], NULL, hammer,
				&s), 0);
		world_until(has_served_some, &s, "requests are served");
		world_stop_busy(w);
		atomic_store(&s.over, true);
		for (i = 0; i < CLIENTS; i++)
			pthread_join(threads[i], NULL);
		cr_expect_eq(atomic_load(&s.lost), 0,
			"round %d of %s: %ld lost, %ld served", round, mode,
			atomic_load(&s.lost), atomic_load(&s.served));
	}
	world_close(&w);
}

Test(drain, prefork_loses_nothing_on_a_unix_socket, .timeout = 120)
{
	check_storm("prefork", false);
}

Test(drain, prefork_loses_nothing_on_tcp, .timeout = 120)
{
	world_need_filter();
	check_storm("prefork", true);
}

Test(drain, the_gateway_loses_nothing_on_a_unix_socket, .timeout = 120)
{
	check_storm("cgi", false);
}

Test(drain, the_gateway_loses_nothing_on_tcp, .timeout = 120)
{
	world_need_filter();
	check_storm("cgi", true);
}

#define DEEP 150

/* Many more clients than workers wait when the signal comes. */
static void
check_deep_queue(const char *mode, bool tcp)
{
	static const char *const params[] = {"QUERY_STRING=ms=1", NULL};
	struct world *w = world_open();
	const char *address = tcp ? w->tcp : "www.sock";
	char ini[400];
	int fds[DEEP], round, i;

	make_ini(ini, sizeof(ini), mode, tcp, "sleep");
	for (round = 0; round < ROUNDS; round++) {
		world_start(w, ini);
		for (i = 0; i < DEEP; i++) {
			fds[i] = client_connect(w, address);
			client_ask(fds[i], 0, params);
		}
		world_signal(w, SIGTERM);
		for (i = 0; i < DEEP; i++) {
			struct answer a = client_read(fds[i]);

			cr_expect(a.ended && strstr(a.out, "slept"),
				"%s, round %d: request %d is lost", mode, round,
				i);
			close(fds[i]);
		}
		cr_expect_eq(world_wait(w), 0);
	}
	world_close(&w);
}

Test(drain, prefork_serves_a_long_queue_completely, .timeout = 120)
{
	check_deep_queue("prefork", false);
	check_deep_queue("prefork", true);
}

Test(drain, the_gateway_serves_a_long_queue_completely, .timeout = 120)
{
	check_deep_queue("cgi", false);
	check_deep_queue("cgi", true);
}
