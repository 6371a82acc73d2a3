/*
 * slowlog.c - writes the slow log; see slowlog.h
 *
 * Called by timeout/watchdog.  Each entry is written with one call, since
 * several pools may share a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/util.h"
#include "observe/describe.h"
#include "timeout/backtrace.h"
#include "timeout/slowlog.h"

/* Maximum number of entries in each period. */
#define ENTRIES_MAX 5
#define PERIOD_MS 1000

struct slowlog {
	char *path;
	const char *pool;
	int fd;
	struct loop *loop;
	struct prober *prober;	/* borrowed */
	struct loop_timer period;	/* starts with its first entry */
	unsigned entries;	/* in this period */
	unsigned long dropped;	/* without an entry, in this period */
	struct backtrace backtrace;
	/* The entry whose stack is being taken. */
	char *text;
	size_t len;
};

static void
put_time(FILE *out)
{
	struct timespec ts;
	char when[64];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	localtime_r(&ts.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S%z", &tm);
	fprintf(out, "[%s] ", when);
}

/* Writes bytes of a client or of another process, escaped. */
static void
put_text(FILE *out, const char *text)
{
	char *clean = escape_text(text);

	fputs(clean ? clean : "?", out);
	free(clean);
}

/* Writes "word: " before each line of text. */
static void
put_lines(FILE *out, const char *word, const char *text)
{
	size_t len;
	char *line;

	for (; *text; text += len + (text[len] != '\0')) {
		len = strcspn(text, "\n");
		line = mem_strndup(text, len);
		fprintf(out, "%s: ", word);
		put_text(out, line);
		fputc('\n', out);
		free(line);
	}
}

static void
put_header(const struct slowlog *l, const struct slowlog_entry *e, FILE *out)
{
	put_time(out);
	fprintf(out, "pool %s: worker %d", l->pool, (int)e->worker);
	if (e->pid != e->worker)
		fprintf(out, ", child %d", (int)e->pid);
	fprintf(out, "\nrequest: ");
	put_text(out, *e->method ? e->method : "?");
	fputc(' ', out);
	put_text(out, *e->uri ? e->uri : "(not reported by the worker)");
	fprintf(out, "\nrunning for: %.1f s, %s\n", (double)e->ran_ms / 1000,
		e->doing);
}

static void
write_text(const struct slowlog *l, const char *text, size_t len)
{
	/* Action: "No space left on device", "Disk quota exceeded": free space.
	 * Other errors: correct slowlog, or the file system that it is on.  The
	 * next slow request is written to it again. */
	if (fd_write_all(l->fd, text, len) < 0)
		log_error("pool %s: slow log %s: %s; an entry is lost",
			l->pool, l->path, strerror(errno));
}

/* Adds the stack to the waiting entry, and writes it. */
static void
finish_entry(struct slowlog *l, const char *stack)
{
	size_t len = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		goto out;
	fwrite(l->text, 1, l->len, out);
	put_lines(out, "user stack", stack);
	fputc('\n', out);
	if (fclose(out) == 0)
		write_text(l, text, len);
	free(text);
out:
	free(l->text);
	l->text = NULL;
}

/* Writes the number of requests without an entry. */
static void
write_dropped(struct slowlog *l)
{
	size_t len = 0;
	char *text = NULL;
	FILE *out;

	if (l->dropped == 0)
		return;
	/* Action: read the entries of that second first, since such requests
	 * mostly wait for the same thing.  If the requests are normal, raise
	 * request_slowlog_timeout. */
	log_warning("pool %s: slow log: %lu more slow requests within 1 s "
		"have no entry (limit: %d a second)", l->pool, l->dropped,
		ENTRIES_MAX);
	out = open_memstream(&text, &len);
	if (out) {
		put_time(out);
		fprintf(out, "pool %s: %lu more slow requests within 1 s have "
			"no entry\n\n", l->pool, l->dropped);
		if (fclose(out) == 0)
			write_text(l, text, len);
		free(text);
	}
	l->dropped = 0;
}

static void
on_period(struct loop_timer *timer)
{
	struct slowlog *l = container_of(timer, struct slowlog, period);

	write_dropped(l);
	l->entries = 0;
}

bool
slowlog_has_room(struct slowlog *l)
{
	if (l->entries == ENTRIES_MAX) {
		l->dropped++;
		return false;
	}
	if (l->entries++ == 0)
		loop_timer_set(l->loop, &l->period,
			loop_now(l->loop) + PERIOD_MS);
	return true;
}

static void
on_backtrace(struct backtrace *b, const char *text)
{
	finish_entry(container_of(b, struct slowlog, backtrace), text);
}

/* A user that may write to the directory could make the path a link to any
 * other file. */
static int
open_file(const char *path)
{
	return log_open_file(path, O_NOFOLLOW, 0600);
}

struct slowlog *
slowlog_open(const char *path, const char *pool, struct loop *loop,
	struct prober *prober, uid_t uid, gid_t gid)
{
	int fd = open_file(path);
	struct slowlog *l;

	if (fd < 0)
		return NULL;
	l = mem_calloc(1, sizeof(*l));
	l->path = mem_strdup(path);
	l->pool = pool;
	l->fd = fd;
	l->loop = loop;
	l->prober = prober;
	l->period.on_timer = on_period;
	backtrace_init(&l->backtrace, loop, uid, gid, on_backtrace);
	return l;
}

int
slowlog_reopen(struct slowlog *l)
{
	int fd = open_file(l->path);

	if (fd < 0)
		return -1;
	fd_close(&l->fd);
	l->fd = fd;
	return 0;
}

void
slowlog_close(struct slowlog **l)
{
	if (!*l)
		return;
	if (backtrace_runs(&(*l)->backtrace)) {
		backtrace_fini(&(*l)->backtrace);
		finish_entry(*l, "not taken: the pool was stopped");
	}
	write_dropped(*l);
	loop_timer_stop((*l)->loop, &(*l)->period);
	fd_close(&(*l)->fd);
	free((*l)->path);
	free(*l);
	*l = NULL;
}

/* Formats all but the program's stack.  This is done before the stack is taken,
 * since the tool stops the process, which changes what is described here. */
static char *
describe_request(const struct slowlog *l, const struct slowlog_entry *e,
	size_t *ret_len)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_len);

	if (!out)
		return NULL;
	put_header(l, e, out);
	describe_report(l->prober, e->pid, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

void
slowlog_add(struct slowlog *l, const struct slowlog_entry *e)
{
	char *waiting = l->text;
	size_t waiting_len = l->len;
	const char *why = NULL;

	l->text = describe_request(l, e, &l->len);
	if (!l->text) {
		/* Action: free memory, or raise the limit of memory of fcgipm
		 * (MemoryMax=).  Requests are still served and timed. */
		log_error("pool %s: slow log: out of memory; an entry is lost",
			l->pool);
	} else if (backtrace_runs(&l->backtrace)) {
		finish_entry(l, "not taken: that of another process was being "
			"taken");
	} else {
		why = backtrace_start(&l->backtrace, e->pid, e->worker);
		if (why)
			finish_entry(l, why);
		return;
	}
	l->text = waiting;
	l->len = waiting_len;
}

bool
slowlog_is_tracing(const struct slowlog *l, pid_t pid)
{
	return backtrace_runs(&l->backtrace) && l->backtrace.target == pid;
}
