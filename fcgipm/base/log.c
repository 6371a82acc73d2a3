/*
 * log.c - writes log lines: escapes text, merges repeats, drops lines when the
 * reader does not read; see log.h
 *
 * Called by all modules of the supervisor and the gateway that report events.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/emit.h"
#include "base/escape.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/util.h"

/* How long a write to a full pipe may take before its line is dropped. */
#define PATIENCE_MS 100

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const int syslog_levels[] = {
	[LOG_LEVEL_ERROR] = LOG_ERR,
	[LOG_LEVEL_WARNING] = LOG_WARNING,
	[LOG_LEVEL_NOTICE] = LOG_NOTICE,
	[LOG_LEVEL_DEBUG] = LOG_DEBUG,
};

/* One log for the process. */
static struct {
	int fd;			/* -1 for syslog */
	bool may_block;		/* a pipe or terminal: poll before writing */
	char *path;		/* a file's, NULL for stderr and syslog */
	enum log_level level;
	enum log_format format;
	char ident[32];
	bool bare, echo;
	unsigned long dropped;	/* lines that were not read in time */
	bool cut;		/* only a part of the last line was written */
	char *last;		/* the text of the last line */
	enum log_level last_level;
	unsigned long repeats;	/* of the last line, not yet logged */
} lg = {.fd = STDERR_FILENO, .may_block = true, .level = LOG_LEVEL_NOTICE};

static bool
can_block(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISREG(st.st_mode);
}

int
log_open_file(const char *path, int flags, mode_t mode)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC |
			O_NOCTTY | O_NONBLOCK | flags,
		mode);
}

int
log_open(const char *target, enum log_level level, enum log_format format)
{
	char *path = NULL;
	int fd = -1;

	if (strcmp(target, "stderr") == 0) {
		fd = STDERR_FILENO;
	} else if (strcmp(target, "syslog") == 0) {
		openlog("fcgipm", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	} else {
		path = strdup(target);
		if (!path)
			return -1;
		fd = log_open_file(path, 0, 0640);
		if (fd < 0) {
			free(path);
			return -1;
		}
	}
	log_flush();
	if (lg.path)
		fd_close(&lg.fd);
	free(lg.path);
	lg.path = path;
	lg.fd = fd;
	lg.may_block = fd >= 0 && can_block(fd);
	lg.level = level;
	lg.format = format;
	return 0;
}

int
log_reopen(void)
{
	int fd;

	if (!lg.path)
		return 0;
	fd = log_open_file(lg.path, 0, 0640);
	if (fd < 0)
		return -1;
	log_flush();
	fd_close(&lg.fd);
	lg.fd = fd;
	lg.may_block = can_block(fd);
	return 0;
}

void
log_ident(const char *name)
{
	snprintf(lg.ident, sizeof(lg.ident), "%s", name);
}

void
log_bare(void)
{
	lg.bare = true;
}

void
log_echo(bool on)
{
	lg.echo = on;
}

/* Writes the line while its reader reads, for at most wait_ms without progress;
 * returns the bytes written. */
static size_t
put(int fd, bool may_block, int wait_ms, const char *line, size_t len)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		if (may_block && poll(&p, 1, wait_ms) == 0)
			break;
		/* poll(2) only reports room for PIPE_BUF bytes (pipe(7)). */
		n = write(fd, line + done,
			may_block ? MIN(len - done, (size_t)PIPE_BUF) :
				    len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return done;
}

/*
 * The same for the log; false when the line, or its end, was dropped.  The
 * reader has PATIENCE_MS, but no time after it has lost a line.
 */
static bool
put_log(const char *line)
{
	int wait_ms = lg.dropped ? 0 : PATIENCE_MS;
	size_t len = strlen(line), done;

	if (lg.cut && put(lg.fd, lg.may_block, wait_ms, "\n", 1) == 0)
		return false;
	done = put(lg.fd, lg.may_block, wait_ms, line, len);
	lg.cut = done > 0 && done < len;
	return done == len;
}

/* NULL when memory ran out. */
static char *
format_json(enum log_level level, const char *when, const char *text)
{
	struct buf b;
	struct emit e = {.out = &b};
	char *line = NULL;

	buf_init(&b, SIZE_MAX);
	emit_begin(&e, '{');
	emit_member(&e, "time", when);
	emit_member(&e, "level", level_names[level]);
	emit_name(&e, "pid");
	emit_number(&e, getpid());
	emit_member(&e, "message", text);
	emit_end(&e, '}');
	if (!e.failed && buf_add(&b, "\n", 1) == 0)
		line = strndup((const char *)buf_data(&b), b.len);
	buf_fini(&b);
	return line;
}

static char *
format_text(enum log_level level, const char *when, const char *text)
{
	char *clean = escape_text(text), *line = NULL;
	int rc = -1;

	if (clean && lg.bare)
		rc = asprintf(&line, "%s\n", clean);
	else if (clean)
		rc = asprintf(&line, "%s %s%s%s: %s\n", when, lg.ident,
			lg.ident[0] ? ": " : "", level_names[level], clean);
	if (rc < 0)
		line = NULL;
	free(clean);
	return line;
}

static char *
format_line(enum log_level level, const char *text)
{
	struct timespec ts;
	struct tm tm;
	char when[64];
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	n = strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(when + n, sizeof(when) - n, ".%03ld",
		ts.tv_nsec / 1000000);
	strftime(when + n, sizeof(when) - n, "%z", &tm);
	return lg.format == LOG_FORMAT_JSON && !lg.bare ?
		format_json(level, when, text) :
		format_text(level, when, text);
}

static void
put_syslog(enum log_level level, const char *text)
{
	char *clean = escape_text(text);

	syslog(syslog_levels[level], "%s", clean ? clean : "out of memory");
	free(clean);
}

static void
write_line(enum log_level level, const char *text)
{
	bool echo = lg.echo && lg.fd != STDERR_FILENO &&
		level <= LOG_LEVEL_WARNING;
	unsigned long dropped = lg.dropped;
	char note[64], *line;

	if (lg.fd < 0)
		put_syslog(level, text);
	if (lg.fd < 0 && !echo)
		return;
	line = format_line(level, text);
	if (!line)
		return;
	if (lg.fd >= 0 && !put_log(line))
		lg.dropped++;
	if (echo)
		(void)put(STDERR_FILENO, true, 0, line, strlen(line));
	free(line);
	/* The reader reads again: log how many lines it missed. */
	if (dropped > 0 && lg.dropped == dropped) {
		lg.dropped = 0;
		snprintf(note, sizeof(note), "log: %lu lines dropped: its "
			"reader is too slow", dropped);
		write_line(LOG_LEVEL_WARNING, note);
	}
}

void
log_flush(void)
{
	char note[64];

	if (lg.repeats > 0) {
		snprintf(note, sizeof(note),
			"log: last line repeated %lu times", lg.repeats);
		lg.repeats = 0;
		write_line(lg.last_level, note);
	}
}

__attribute__((format(printf, 2, 0)))
static void
message(enum log_level level, const char *fmt, va_list ap)
{
	char *text;

	if (level > lg.level || vasprintf(&text, fmt, ap) < 0)
		return;
	if (lg.last && lg.last_level == level && strcmp(lg.last, text) == 0) {
		/* Logged after 1000, 10000 and so on: a flood makes few lines,
		 * but is seen while it lasts. */
		unsigned long n = ++lg.repeats;

		free(text);
		while (n >= 10 && n % 10 == 0)
			n /= 10;
		if (n == 1 && lg.repeats >= 1000)
			log_flush();
		return;
	}
	log_flush();
	free(lg.last);
	lg.last = text;
	lg.last_level = level;
	write_line(level, text);
}

#define LOG_FUNCTION(name, level)                                              \
	void name(const char *fmt, ...)                                        \
	{                                                                      \
		va_list ap;                                                    \
                                                                               \
		va_start(ap, fmt);                                             \
		message(level, fmt, ap);                                       \
		va_end(ap);                                                    \
	}

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)
