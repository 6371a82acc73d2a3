/*
 * test_wake.c - what calls a pool that rests does not call without end
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "pool/wake.h"

#define RUN_MS 300

static const struct wake_for knocks = {
	.knock = true,
	.idle_at = WAKE_NEVER,
};
static struct loop *loop;
static unsigned calls;

/* As the guard of a listener that is shut and cannot be opened again. */
static bool
stop_and_begin(struct wake *w)
{
	calls++;
	wake_stop(w);
	wake_on(w, &knocks);
	return false;
}

static void
on_end(struct loop_timer *t)
{
	(void)t;
	loop_quit(loop);
}

Test(wake, a_listener_that_stays_shut_calls_now_and_then, .timeout = 20)
{
	struct sockaddr_un any = {.sun_family = AF_UNIX};
	struct loop_timer end = {.on_timer = on_end};
	struct wake w;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof(sa_family_t)), 0,
		"%s", strerror(errno));
	cr_assert_eq(listen(fd, 1), 0);
	cr_assert_eq(shutdown(fd, SHUT_RDWR), 0);
	loop = loop_new();
	wake_init(&w, loop, "www", NULL, fd, stop_and_begin);
	wake_on(&w, &knocks);
	loop_timer_set(loop, &end, now_ms() + RUN_MS);
	cr_assert_eq(loop_run(loop), 0);
	/* After 10 ms, 20, 40, 80, ...: the knock, and the timer. */
	cr_expect_geq(calls, 2);
	cr_expect_leq(calls, 20, "%u calls", calls);
	wake_stop(&w);
	loop_free(&loop);
	close(fd);
}
