/*
 * busy.c - pools whose workers are busy, and their clients; see busy.h
 */
#include "busy.h"

static struct world *
start_in(struct world *w, unsigned workers, bool tcp, const char *handler,
	const char *keys)
{
	world_start(w, own_text("[fcgipm]\nlog_level = debug\n"
		"[www]\n"
		"listen = %s\n"
		"handler = %s\n"
		"pm.max_children = %u\n%s",
		tcp ? "127.0.0.1:@PORT@" : "@DIR@/www.sock", handler,
		workers, keys));
	return w;
}

struct world *
busy_start_some(unsigned workers, bool tcp, const char *handler,
	const char *keys)
{
	return start_in(world_open(), workers, tcp, handler, keys);
}

struct world *
busy_start(bool tcp, const char *handler, const char *keys)
{
	return busy_start_some(BUSY_WORKERS, tcp, handler, keys);
}

struct world *
busy_start_with_gateway(const char *child, const char *keys)
{
	struct world *w = world_open();

	world_shell(w, own_text("mkdir bin\n"
		"cp @BIN@/fcgipm bin\ncp %s bin/fcgipm-cgi\n",
		world_child(child)));
	cr_assert_eq(setenv("FCGIPM_BIN", world_path(w, "bin"), 1), 0);
	return start_in(w, BUSY_WORKERS, false, "@T@/children/echo", keys);
}

const char *
busy_address(const struct world *w, bool tcp)
{
	return tcp ? w->tcp : "www.sock";
}

int
busy_begin(struct world *w, bool tcp)
{
	static const char *const params[] = {"REQUEST_METHOD=POST",
		"CONTENT_LENGTH=4", NULL};
	int fd = client_connect(w, busy_address(w, tcp));

	client_begin(fd, 1, 0, params);
	return fd;
}

void
busy_finish(int fd)
{
	client_body(fd, "body");
}

int
busy_ask(struct world *w, bool tcp)
{
	int fd = busy_begin(w, tcp);

	busy_finish(fd);
	return fd;
}

void
busy_expect_served(int fd)
{
	struct answer a = client_read(fd);

	cr_expect(strncmp(a.out, "Status: 503", 11) != 0, "refused");
	answer_expect(a, "body");
	cr_expect(a.ended);
	close(fd);
}

pid_t
busy_refuser(const struct world *w)
{
	pid_t pids[8];
	size_t n = world_children(w->pid, pids, 8), i;

	for (i = 0; i < n && i < 8; i++)
		if (strncmp(world_proc_status(pids[i], "Name"), "fcgipm-cgi",
			    10) == 0)
			return pids[i];
	return 0;
}

bool
busy_refuser_left(void *arg)
{
	return busy_refuser(arg) == 0;
}
