/*
 * test_shim.c - tests what the preloaded library counts in real programs, and
 * the states that it reports
 *
 * Processes and threads are in test_shim_processes.c, the stop flag and unusual
 * calls in test_shim_calls.c.
 */
#include "hostile.h"
#include "rig.h"

TestSuite(shim, .timeout = 900);

static void
count_program(const struct rig_program *p, int flags, unsigned count)
{
	struct rig r = rig_open(2, 1);
	struct rig_asked a;
	unsigned i;

	for (i = 0; i < 2; i++)
		rig_spawn(&r, i, p->path(), p->arg);
	for (i = 0; i < 2; i++)
		world_until(rig_is_attached, rig_at(&r, i, 0), p->name);
	a = rig_ask(&r, count, flags, rig_script_params());
	world_until(rig_has_counted, rig_at(&r, 0, count), p->name);
	cr_expect_eq(r.seen.accepted, flags & KEEP_CONN ? 1 : count, "%s: %lu",
		p->name, (unsigned long)r.seen.accepted);
	cr_expect_eq(r.seen.bytes_in, a.in, "%s: read %lu, sent %lu", p->name,
		(unsigned long)r.seen.bytes_in, (unsigned long)a.in);
	cr_expect_eq(r.seen.bytes_out, a.out, "%s: wrote %lu, got %lu",
		p->name, (unsigned long)r.seen.bytes_out,
		(unsigned long)a.out);
	cr_expect_not(r.seen.incomplete, "%s", p->name);
	world_until(rig_has_idle, rig_at(&r, 0, 2), "both are idle");
	for (i = 0; i < 2; i++) {
		board_read(r.b, i, &r.seen);
		cr_expect_eq(r.seen.pid, r.pids[i]);
		cr_expect(r.seen.ours);
		cr_expect_eq(r.seen.state, FCGIPM_FREE);
		if (r.seen.requests == 0)
			continue;
		cr_expect_str_eq(r.seen.method, "POST");
		cr_expect_str_eq(r.seen.uri, "/uri?x=y");
		cr_expect_eq(r.seen.start_ms, 0);
	}
	rig_close(&r);
}

/* The first four get many requests: 10^4 together, or 4 x 10^5. */
static void
count_programs(int flags)
{
	unsigned often = (unsigned)hostile_size(1250, 50000);

	for (size_t i = 0; i < ARRAY_SIZE(rig_programs); i++)
		if (!(flags & KEEP_CONN) || !rig_programs[i].no_keep)
			count_program(&rig_programs[i], flags,
				i < 4 ? often : 20);
	hostile_figure("shim: %u requests each, %s: counted exactly", often,
		flags & KEEP_CONN ? "keep-alive" : "one a connection");
}

Test(shim, counts_each_request)
{
	count_programs(0);
}

Test(shim, counts_each_request_of_keep_alive_connections)
{
	count_programs(KEEP_CONN);
}

/* The program closes by a direct system call, as libuv does. */
Test(shim, an_answered_connection_counts_as_closed)
{
	static const int flags[] = {0, KEEP_CONN};
	struct rig r = rig_open(1, 1);

	rig_spawn(&r, 0, rig_python(), "syscall");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		rig_ask(&r, 5, flags[i], rig_params);
		world_until(rig_has_counted, rig_at(&r, 0, 5 * (i + 1)),
			"count");
		world_until(rig_has_idle, rig_at(&r, 0, 1), "idle");
	}
	cr_expect_not(rig_sum(&r).incomplete);
	rig_close(&r);
}

Test(shim, reports_the_state_of_a_connection)
{
	struct rig r = rig_open(1, 1);
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), KEEP_CONN,
		rig_params, "hello", 5);
	int fd;

	rig_spawn(&r, 0, rig_python(), "recv");
	world_until(rig_is_attached, rig_at(&r, 0, 0), "attached");
	cr_expect_eq(r.seen.state, FCGIPM_FREE);
	cr_expect_gt(r.seen.since_ms, 0);
	world_until(rig_has_accepting, rig_at(&r, 0, 1), "in accept()");
	fd = client_connect(r.w, "s.sock");
	world_until(rig_has_state, rig_at(&r, 0, FCGIPM_READING), "accepted");
	cr_expect_eq(r.seen.accepting, 0);
	cr_expect_eq(r.seen.start_ms, 0, "no request yet");
	cr_expect_gt(r.seen.since_ms, 0);
	cr_expect_eq(board_idle(r.b), 0);
	client_send(fd, request, 17);
	world_until(rig_has_running, rig_at(&r, 0, 1), "a request begins");
	cr_expect_eq(r.seen.state, FCGIPM_READING);
	/* All but the record that ends STDIN. */
	client_send(fd, request + 17, len - 17 - 8);
	world_until(rig_has_state, rig_at(&r, 0, FCGIPM_BUSY), "parameters");
	cr_expect_str_eq(r.seen.method, "POST");
	cr_expect_str_eq(r.seen.uri, "/uri?x=y");
	cr_expect_gt(r.seen.start_ms, 0);
	cr_expect_eq(r.seen.requests, 0);
	client_send(fd, request + len - 8, 8);
	rig_read_answer(fd);
	world_until(rig_has_state, rig_at(&r, 0, FCGIPM_KEPT), "keep-alive");
	cr_expect_eq(r.seen.start_ms, 0, "no request runs");
	cr_expect_eq(r.seen.requests, 1);
	cr_expect_gt(r.seen.since_ms, 0);
	cr_expect_eq(board_idle(r.b), 0, "but the thread is taken");
	close(fd);
	world_until(rig_has_state, rig_at(&r, 0, FCGIPM_FREE), "closed");
	world_until(rig_has_idle, rig_at(&r, 0, 1), "idle");
	rig_close(&r);
}

static const struct {
	const char *why, *params[5], *method, *uri;
} uris[] = {
	{"SCRIPT_NAME", {"REQUEST_METHOD=GET", "SCRIPT_NAME=/s"}, "GET", "/s"},
	{"REQUEST_URI last", {"SCRIPT_NAME=/s", "REQUEST_URI=/u"}, "", "/u"},
	{"REQUEST_URI first", {"REQUEST_URI=/u", "SCRIPT_NAME=/s"}, "", "/u"},
	{"similar names", {"XREQUEST_URI=/a", "REQUEST_URIX=/b",
		"SCRIPT_NAMES=/c", "REQUEST_METHODS=X"}, "", ""},
	{"empty", {"REQUEST_METHOD=", "REQUEST_URI="}, "", ""},
};

Test(shim, finds_method_and_uri)
{
	struct rig r = rig_open(1, 1);
	const char *with[7];
	size_t i, n;

	rig_spawn(&r, 0, rig_python(), "bytes");
	for (i = 0; i < ARRAY_SIZE(uris); i++) {
		memcpy(with, uris[i].params, sizeof(uris[i].params));
		for (n = 0; n < 5 && with[n]; n++)
			;
		with[n] = "CONTENT_LENGTH=5";
		with[n + 1] = NULL;
		rig_ask(&r, 1, 0, with);
		world_until(rig_has_counted, rig_at(&r, 0, i + 1), uris[i].why);
		board_read(r.b, 0, &r.seen);
		cr_expect_str_eq(r.seen.method, uris[i].method, "%s: %s",
			uris[i].why, r.seen.method);
		cr_expect_str_eq(r.seen.uri, uris[i].uri, "%s: %s",
			uris[i].why, r.seen.uri);
	}
	rig_close(&r);
}

Test(shim, a_client_that_disconnects_early_is_not_counted)
{
	struct rig r = rig_open(1, 1);
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), 0, rig_params,
		"hello", 5), cut;
	uint64_t accepted = 0;
	int fd;

	rig_spawn(&r, 0, rig_python(), "recv");
	for (cut = 0; cut < len; cut += 1 + len / 40) {
		fd = client_connect(r.w, "s.sock");
		client_send(fd, request, cut);
		shutdown(fd, SHUT_WR);
		client_drain(fd);
		close(fd);
		accepted++;
	}
	rig_ask(&r, 1, 0, rig_params);
	world_until(rig_has_counted, rig_at(&r, 0, 1), "the complete request");
	cr_expect_eq(r.seen.accepted, accepted + 1);
	cr_expect_not(r.seen.incomplete);
	rig_close(&r);
}

/* What is not FastCGI is not counted, and marks the slot as incomplete. */
Test(shim, other_protocols_mark_the_slot_incomplete)
{
	struct rig r = rig_open(1, 1);
	int fd;

	rig_spawn(&r, 0, rig_python(), "recv");
	fd = client_connect(r.w, "s.sock");
	client_send(fd, "GET / HTTP/1.0\r\n\r\n", 18);
	shutdown(fd, SHUT_WR);
	client_drain(fd);
	close(fd);
	world_until(rig_has_idle, rig_at(&r, 0, 1), "idle");
	cr_expect(rig_sum(&r).incomplete);
	cr_expect_eq(rig_sum(&r).requests, 0);
	rig_close(&r);
}
