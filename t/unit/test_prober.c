/*
 * test_prober.c - a prober that another process of its user controls
 *
 * The test sends the answers.  It includes prober.c for the layout of the
 * messages.
 */
#include <criterion/criterion.h>

#include "observe/prober.c" /* NOLINT(bugprone-suspicious-include) */

static struct prober p;
static int theirs;
static pid_t child;

/* The test has the prober's end of the socket pair. */
static void
begin(void)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			     pair), 0);
	prober_init(&p, 65534, 65534);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0)
		for (;;)
			pause();
	p.fd = pair[0];
	p.pid = child;
	theirs = pair[1];
}

static void
end(void)
{
	prober_fini(&p);
	close(theirs);
}

TestSuite(prober, .init = begin, .fini = end, .timeout = 20);

static void
send_answer(uint32_t seq, int err, size_t len, const void *more,
	size_t more_len)
{
	struct reply r = {.seq = seq, .err = err, .len = len, .number = 7,
		.tasks = {.total = 3, .reading_fd = -1}};
	struct iovec out[2] = {{&r, sizeof(r)}, {(void *)more, more_len}};

	cr_assert_geq(writev(theirs, out, 2), 0);
}

static void
expect_killed(void)
{
	cr_expect_eq(p.pid, 0);
	cr_expect_eq(p.fd, -1);
	cr_expect_eq(p.dying, child, "will not be reaped");
	cr_expect_gt(p.not_before_ms, now_ms() + PAUSE_MS / 2, "no pause");
	errno = 0;
	cr_expect_eq(prober_reads(&p, 1), UINT64_MAX);
	cr_expect(errno == ECHILD || errno == EACCES);
	prober_fini(&p);
	cr_expect_eq(waitpid(child, NULL, WNOHANG), -1);
	cr_expect_eq(errno, ECHILD, "not reaped");
}

Test(prober, a_valid_answer_is_returned)
{
	const ino_t listener = 1;
	struct watch_tasks t = {0};

	send_answer(1, 0, 0, NULL, 0);
	cr_expect_eq(prober_tasks(&p, 1, &listener, 1, &t), 0);
	cr_expect_eq(t.total, 3);
	send_answer(2, EACCES, 0, NULL, 0);
	cr_expect_lt(prober_tasks(&p, 1, &listener, 1, &t), 0);
	cr_expect_eq(errno, EACCES);
	cr_expect_eq(p.pid, child, "killed");
}

Test(prober, an_answer_to_an_earlier_question_is_skipped)
{
	send_answer(0, 0, 0, NULL, 0);
	send_answer(77, EIO, 0, NULL, 0);
	send_answer(1, 0, 0, NULL, 0);
	cr_expect_eq(prober_reads(&p, 1), 7);
	cr_expect_eq(p.pid, child);
}

Test(prober, a_prober_that_only_answers_earlier_questions_is_killed)
{
	int i;

	for (i = 0; i < 5; i++)
		send_answer(5, 0, 0, NULL, 0);
	cr_expect_eq(prober_reads(&p, 1), UINT64_MAX);
	cr_expect_eq(errno, ETIMEDOUT);
	expect_killed();
}

Test(prober, an_incomplete_answer_is_refused)
{
	cr_assert_eq(write(theirs, "answer", 6), 6);
	cr_expect_eq(prober_reads(&p, 1), UINT64_MAX);
	cr_expect_eq(errno, EPROTO);
	expect_killed();
}

Test(prober, an_answer_with_unexpected_data_is_refused)
{
	send_answer(1, 0, 4, "more", 4);
	cr_expect_eq(prober_reads(&p, 1), UINT64_MAX);
	cr_expect_eq(errno, EPROTO);
	expect_killed();
}

Test(prober, a_length_without_the_bytes_is_refused)
{
	char *text;

	send_answer(1, 0, 4000, "text", 4);
	text = prober_brief(&p, 1);
	cr_expect_null(text);
	cr_expect_eq(errno, EPROTO);
	expect_killed();
}

Test(prober, an_excessive_length_is_refused)
{
	send_answer(1, 0, SIZE_MAX - 2, "text", 4);
	cr_expect_null(prober_report(&p, 1));
	cr_expect_eq(errno, EPROTO);
	expect_killed();
}

Test(prober, more_sockets_than_the_caller_has_room_for_are_refused)
{
	static struct watch_socket many[SOCKETS_MAX];
	struct {
		struct watch_socket sockets[2];
		uint64_t after;
	} got = {.after = 0xa5a5a5a5};
	size_t n = 0;

	many[0].ino = 1;
	many[1].ino = 2;
	send_answer(1, 0, 2 * sizeof(many[0]), many, 2 * sizeof(many[0]));
	cr_expect_eq(prober_sockets(&p, 1, got.sockets, 2, &n), 0);
	cr_expect_eq(n, 2);
	cr_expect_eq(got.sockets[1].ino, 2);
	send_answer(2, 0, 3 * sizeof(many[0]), many, 3 * sizeof(many[0]));
	cr_expect_lt(prober_sockets(&p, 1, got.sockets, 2, &n), 0);
	cr_expect_eq(errno, E2BIG);
	send_answer(3, 0, sizeof(many), many, sizeof(many));
	cr_expect_lt(prober_sockets(&p, 1, got.sockets, 2, &n), 0);
	cr_expect_eq(errno, E2BIG);
	cr_expect_eq(got.after, 0xa5a5a5a5);
}

Test(prober, a_text_ends_with_the_bytes_sent)
{
	char *text;

	send_answer(1, 0, 4, "text", 4);
	text = prober_brief(&p, 1);
	cr_assert_not_null(text);
	cr_expect_str_eq(text, "text");
	free(text);
}

Test(prober, a_prober_that_does_not_answer_is_killed)
{
	cr_expect_null(prober_brief(&p, 1));
	cr_expect_eq(errno, ETIMEDOUT);
	expect_killed();
}

Test(prober, a_prober_that_has_exited_is_not_waited_for)
{
	int64_t start = now_ms();

	close(theirs);
	theirs = -1;
	cr_expect_eq(prober_reads(&p, 1), UINT64_MAX);
	cr_expect_lt(now_ms() - start, ANSWER_MS + 5000);
	expect_killed();
}
