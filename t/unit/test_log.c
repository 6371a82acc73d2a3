/*
 * test_log.c - tests base/log: whole lines, repeats, dropped lines, syslog
 *
 * Each test runs in its own process.  Its log is a pipe; syslog(3) is replaced
 * here by a function that keeps the line.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/log.h"

static char sent[256];		/* the last line for syslog */

/* In place of the C library's, by the names that hardened code calls. */
void __syslog_chk(int priority, int flag, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

__attribute__((format(printf, 1, 0)))
static void
keep_line(const char *fmt, va_list ap)
{
	vsnprintf(sent, sizeof(sent), fmt, ap);
}

#undef syslog
void
syslog(int priority, const char *fmt, ...)
{
	va_list ap;
	(void)priority;

	va_start(ap, fmt);
	keep_line(fmt, ap);
	va_end(ap);
}

void
__syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;
	(void)priority, (void)flag;

	va_start(ap, fmt);
	keep_line(fmt, ap);
	va_end(ap);
}

TestSuite(log, .timeout = 30);

/* Makes stderr a pipe that holds 64 KiB; returns its other end. */
static int
read_stderr(void)
{
	int fds[2];

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	cr_assert_leq(fcntl(fds[1], F_GETPIPE_SZ), 65536);
	cr_assert_eq(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
	close(fds[1]);
	cr_assert_eq(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	log_bare();
	return fds[0];
}

/* What is in the pipe now. */
static char *
drain(int fd)
{
	static char text[1 << 17];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	return text;
}

static void
expect_read(int fd, const char *want)
{
	const char *text = drain(fd);

	cr_expect_str_eq(text, want, "%s", text);
}

Test(log, a_line_after_one_that_was_cut_is_whole)
{
	int fd = read_stderr();
	static char big[70000];
	char *text;

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_error("%s", big);
	text = drain(fd);
	cr_expect_eq(text[0], 'x');
	cr_expect_null(strchr(text, '\n'), "its end was dropped");
	log_error("next");
	expect_read(fd, "\nnext\nlog: 1 lines dropped: its reader "
		"is too slow\n");
	log_error("last");
	expect_read(fd, "last\n");
}

Test(log, repeats_are_counted_by_text_and_level)
{
	int fd = read_stderr();
	int i;

	log_error("same");
	log_error("same");
	log_error("same");
	log_warning("same");
	expect_read(fd, "same\nlog: last line repeated 2 times\nsame\n");
	log_warning("other");
	expect_read(fd, "other\n");
	for (i = 0; i < 1001; i++)
		log_error("flood");
	expect_read(fd, "flood\nlog: last line repeated 1000 times\n");
	log_flush();
	expect_read(fd, "");
	log_error("flood");
	log_flush();
	expect_read(fd, "log: last line repeated 1 times\n");
	log_debug("below the level");
	expect_read(fd, "");
}

Test(log, syslog_gets_escaped_text)
{
	cr_assert_eq(log_open("syslog", LOG_LEVEL_NOTICE, LOG_FORMAT_TEXT), 0);
	log_notice("a\x1b[2J\n%s", "\xe2\x82\xac\xff");
	cr_expect_str_eq(sent, "a\\x1b[2J\\x0a\xe2\x82\xac\\xff", "%s", sent);
}
