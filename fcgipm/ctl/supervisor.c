/*
 * supervisor.c - what a running supervisor answers; see supervisor.h
 *
 * Called by those commands of fcgipmctl that are about a supervisor.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/util.h"
#include "conf/conf.h"
#include "ctl/exit.h"
#include "ctl/print.h"
#include "ctl/supervisor.h"

#define ROOTS_PLACE "/run/fcgipm/control.sock"

/* Until a full queue is tried again. */
#define RETRY_MS 20
#define ANSWER_MAX_BYTES (64 << 20)
#define PIECE_BYTES 65536

/* The file's control key; NULL = it leaves that to the default. */
static char *
place_in(const char *file)
{
	struct conf_problems ps = {0};
	struct conf c = {0};
	char *place = NULL;

	/* Errors are the supervisor's business: another user's pools are
	 * refused to us, and it runs all the same. */
	(void)conf_load(file, &c, &ps);
	if (c.control)
		place = mem_strdup(c.control);
	conf_problems_free(&ps);
	conf_free(&c);
	return place;
}

/* Whoever is no root may have a supervisor of his own, or be let in to
 * root's. */
static char *
default_place(void)
{
	char *place = conf_control_place();

	if (place && (geteuid() == 0 || access(place, F_OK) == 0))
		return place;
	free(place);
	return mem_strdup(ROOTS_PLACE);
}

/* Of a relative path, in the folder we are in. */
static char *
make_absolute(const char *path)
{
	char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
	char *place =
		folder ? mem_printf("%s/%s", folder, path) : mem_strdup(path);

	free(folder);
	return place;
}

static char *
find_place(const struct supervisor *a)
{
	const char *file = a->config ? a->config : CONF_INSTALLED;
	char *place = NULL;

	if (a->socket)
		return make_absolute(a->socket);
	if (access(file, R_OK) == 0) {
		place = place_in(file);
	} else if (a->config) {
		print_escaped(
			stderr, "fcgipmctl: %s: %s\n", file, strerror(errno));
		return NULL;
	}
	if (!place)
		return default_place();
	if (strcmp(place, "none") == 0) {
		print_escaped(
			stderr, "fcgipmctl: %s says control = none\n", file);
		free(place);
		return NULL;
	}
	return place;
}

static void
explain_connect(const char *place, int err)
{
	const struct passwd *owner = NULL;
	struct stat st;

	if (err == EACCES && stat(place, &st) == 0)
		owner = getpwuid(st.st_uid);
	print_escaped(stderr, "fcgipmctl: %s: %s", place, strerror(err));
	if (owner)
		print_escaped(stderr,
			"; it belongs to %s: ask as root or as that "
			"user, or write control.mode and control.group",
			owner->pw_name);
	else if (err == EACCES)
		fputs("; ask as root or as the user who runs fcgipm", stderr);
	else if (err == ENOENT)
		fputs("; no fcgipm runs with this control socket: name another "
		      "with -s, or its configuration with -c",
			stderr);
	else if (err == ECONNREFUSED)
		fputs("; the fcgipm that made it runs no more", stderr);
	fputc('\n', stderr);
}

/* Milliseconds that are left; 0 = it is over. */
static int
wait_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - now_ms();

	return left > 0 ? (int)MIN(left, (int64_t)INT_MAX) : 0;
}

/* A descriptor that does not block, or -1 with an exit status. */
static int
connect_to(const char *place, int64_t deadline_ms, int *ret_code)
{
	const char *why = NULL;
	struct addr addr;
	int fd, left;

	*ret_code = CTL_CONNECT;
	if (addr_parse(place, &addr, &why) < 0 || !addr_is_path(&addr)) {
		print_escaped(stderr, "fcgipmctl: %s: %s\n", place,
			why ? why : "write the path of a socket");
		return -1;
	}
	/* A full queue is one of a supervisor that is busy, or stopped. */
	while ((fd = addr_connect(&addr, SOCK_NONBLOCK)) < 0 &&
		errno == EAGAIN && (left = wait_ms(deadline_ms)) > 0)
		(void)poll(NULL, 0, MIN(left, RETRY_MS));
	if (fd < 0 && errno == EAGAIN)
		*ret_code = CTL_TIMEOUT;
	else if (fd < 0)
		explain_connect(place, errno);
	return fd;
}

/* Up to the end of the line; 0, or an exit status. */
static int
read_answer(int fd, int64_t deadline_ms, struct buf *answer)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t *to;
	ssize_t n;

	for (;;) {
		to = buf_reserve(answer, PIECE_BYTES);
		if (!to)
			return EXIT_SYSTEM;
		if (poll(&p, 1, wait_ms(deadline_ms)) == 0)
			return CTL_TIMEOUT;
		n = read(fd, to, PIECE_BYTES);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return CTL_CONNECT;
		if (n == 0)
			return CTL_PROTOCOL;
		buf_commit(answer, (size_t)n);
		if (to[n - 1] == '\n')
			return CTL_OK;
	}
}

static int
exchange_line(const struct supervisor *s, const char *place, const char *line,
	struct buf *answer)
{
	int64_t deadline_ms = now_ms() + s->timeout_ms;
	int code, fd = connect_to(place, deadline_ms, &code);

	if (fd >= 0) {
		if (fd_write_all(fd, line, strlen(line)) < 0 ||
			fd_write_all(fd, "\n", 1) < 0)
			/* It may have turned us away, and said why. */
			(void)shutdown(fd, SHUT_WR);
		code = read_answer(fd, deadline_ms, answer);
		if (code != CTL_OK && code != CTL_TIMEOUT)
			print_escaped(stderr, "fcgipmctl: %s: no whole "
				"answer\n", place);
		fd_close(&fd);
	}
	if (code == CTL_TIMEOUT)
		print_escaped(stderr, "fcgipmctl: %s: no answer within %.1f "
			"s\n", place, (double)s->timeout_ms / 1000);
	return code;
}

static const char *
name_of(const json_t *name)
{
	return json_is_string(name) ? json_string_value(name) : "?";
}

/* What it sent instead of an answer. */
static void
print_error(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const json_t *pools = json_object_get(answer, "pools");
	size_t i;

	print_escaped(stderr, "fcgipmctl: %s", error);
	for (i = 0; i < json_array_size(pools); i++)
		print_escaped(stderr, "%s %s", i == 0 ? "; there are" : ",",
			name_of(json_array_get(pools, i)));
	fputc('\n', stderr);
}

static json_t *
parse_answer(const char *place, const struct buf *answer, int *ret_code)
{
	json_t *root = json_loadb(
		(const char *)buf_data(answer), answer->len, 0, NULL);

	if (!json_is_object(root)) {
		print_escaped(stderr,
			"fcgipmctl: %s: the answer is no JSON; is it "
			"fcgipm's control socket?\n",
			place);
		*ret_code = CTL_PROTOCOL;
	} else if (json_is_string(json_object_get(root, "error"))) {
		print_error(root);
		*ret_code = CTL_CLIENT_ERROR;
	} else {
		return root;
	}
	json_decref(root);
	return NULL;
}

json_t *
supervisor_ask(const struct supervisor *a, json_t *question, int *ret_code)
{
	char *line = json_dumps(question, JSON_COMPACT);
	char *place = find_place(a);
	json_t *root = NULL;
	struct buf answer;

	buf_init(&answer, ANSWER_MAX_BYTES);
	*ret_code = !line ? EXIT_SYSTEM
		: !place  ? CTL_CONNECT
			  : exchange_line(a, place, line, &answer);
	if (*ret_code == CTL_OK)
		root = parse_answer(place, &answer, ret_code);
	buf_fini(&answer);
	json_decref(question);
	free(place);
	free(line);
	return root;
}
