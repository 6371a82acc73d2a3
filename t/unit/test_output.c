/*
 * test_output.c - the output of a child is logged line by line
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "worker/output.h"

static char path[] = "/tmp/fcgipm-output-XXXXXX";
static struct loop *loop;
static struct output out;
static int writefd = -1;

static void
set_up(void)
{
	int fd = mkstemp(path), readfd;

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert_eq(log_open(path, LOG_LEVEL_NOTICE, LOG_FORMAT_TEXT), 0);
	loop = loop_new();
	cr_assert_eq(fd_pipe(O_NONBLOCK, 0, &readfd, &writefd), 0);
	cr_assert_eq(output_open(&out, loop, readfd, "www", 77), 0);
}

static void
tear_down(void)
{
	output_close(&out);
	fd_close(&writefd);
	loop_free(&loop);
	unlink(path);
}

TestSuite(output, .init = set_up, .fini = tear_down, .timeout = 10);

static void
say(const char *text)
{
	cr_assert_eq(write(writefd, text, strlen(text)),
		(ssize_t)strlen(text));
}

/* The log without its times. */
static void
expect_log(const char *want)
{
	char line[300], text[1000] = "", *begin;
	FILE *f = fopen(path, "re");

	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f)) {
		begin = strstr(line, "pool ");
		cr_assert(begin, "%s", line);
		strcat(text, begin);
	}
	fclose(f);
	cr_expect_str_eq(text, want);
}

#define SAYS "pool www: worker 77 says: "

Test(output, lines_are_logged_when_they_are_complete)
{
	say("one\ntwo\nthr");
	out.io.on_event(&out.io, LOOP_READ);
	expect_log(SAYS "one\n" SAYS "two\n");
	say("ee\n");
	out.io.on_event(&out.io, LOOP_READ);
	expect_log(SAYS "one\n" SAYS "two\n" SAYS "three\n");
}

/* The child's death may be reported before they are read. */
Test(output, the_last_lines_are_logged_when_it_closes)
{
	say("last\nwords");
	output_close(&out);
	expect_log(SAYS "last\n" SAYS "words\n");
	cr_expect_eq(out.io.fd, -1);
	output_close(&out);
	expect_log(SAYS "last\n" SAYS "words\n");
}

Test(output, carriage_returns_and_empty_lines_are_left_out)
{
	say("a\r\n\r\n\n b\rc \n");
	output_close(&out);
	expect_log(SAYS "a\n" SAYS " b\\x0dc \n");
}

Test(output, the_end_of_the_pipe_closes_it)
{
	say("x\n");
	fd_close(&writefd);
	out.io.on_event(&out.io, LOOP_READ);
	cr_expect_eq(out.io.fd, -1);
	expect_log(SAYS "x\n");
}
