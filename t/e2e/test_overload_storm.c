/*
 * test_overload_storm.c - tests queue_timeout with many clients, which workers
 * and the refuser accept from the same queue
 */
#include "busy.h"
#include "hostile.h"

#define CROWD 60

struct storm {
	struct world *w;
	bool tcp;
	uint8_t wire[1024];
	size_t len;
	struct pollfd at[CROWD];
	int64_t since_ms[CROWD];
	size_t begun, want;
	unsigned served, refused, early;
};

static void
storm_begin(struct storm *s, size_t i)
{
	s->at[i] = (struct pollfd){.fd = -1};
	if (s->begun == s->want)
		return;
	s->begun++;
	s->since_ms[i] = world_now_ms();
	s->at[i] = (struct pollfd){.events = POLLIN,
		.fd = client_connect(s->w, busy_address(s->w, s->tcp))};
	client_send(s->at[i].fd, s->wire, s->len);
}

/* A refused client must have waited for queue_timeout, as it measured. */
static void
storm_end(struct storm *s, size_t i, int64_t now)
{
	struct answer a = client_read(s->at[i].fd);

	cr_assert(a.ended, "cut off: %s", a.out);
	if (strncmp(a.out, "Status: 503", 11) == 0) {
		s->refused++;
		/* Both clocks are truncated to milliseconds. */
		s->early += now - s->since_ms[i] < 40 - 1;
	} else {
		answer_expect(a, "body");
		s->served++;
	}
	close(s->at[i].fd);
}

/*
 * Keeps so many clients that the queue is about as old as queue_timeout.  Then
 * for most orders workers accept some of the clients meant for the refuser.
 */
static void
storm(bool tcp, size_t want, const char *keys)
{
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"CONTENT_LENGTH=4", NULL};
	struct storm s = {.tcp = tcp, .want = want,
		.w = busy_start(tcp, "@T@/children/echo", keys)};
	int64_t now;

	s.len = client_put_request(s.wire, sizeof(s.wire), 0, params, "body",
		4);
	for (size_t i = 0; i < CROWD; i++)
		storm_begin(&s, i);
	while (s.served + s.refused < want) {
		cr_assert_gt(poll(s.at, CROWD, 20000), 0, "none is served");
		now = world_now_ms();
		for (size_t i = 0; i < CROWD; i++)
			if (s.at[i].fd >= 0 && s.at[i].revents) {
				storm_end(&s, i, now);
				storm_begin(&s, i);
			}
	}
	hostile_figure("%s: %u served, %u refused, %zu orders with a client "
		"that was not overdue", tcp ? "TCP" : "unix", s.served,
		s.refused, world_log_count(s.w, "forwarded to workers: "));
	cr_expect_eq(s.early, 0);
	cr_expect_gt(s.served, 0);
	cr_expect_gt(s.refused, 0);
	cr_expect(!world_log_has(s.w, "died"));
	cr_expect(!world_log_has(s.w, "no connection for a forwarded client"));
	world_close(&s.w);
}

Test(overload, no_client_is_refused_early, .timeout = 120)
{
	static const char keys[] = "queue_timeout = 40ms\n";

	storm(false, hostile_size(1000, 20000), keys);
	storm(true, hostile_size(1000, 20000), keys);
}

/* The pool's user may not connect to the socket, but the supervisor may. */
Test(overload, clients_are_forwarded_though_the_user_may_not_connect,
	.timeout = 120)
{
	world_need_root();
	storm(false, hostile_size(500, 20000), "queue_timeout = 40ms\n"
		"user = nobody\nlisten.owner = root\nlisten.mode = 0600\n");
}
