/*
 * supervisor.c - client of the control socket; see supervisor.h
 *
 * Called by ctl/status.  Finds the control socket, sends one line with JSON and
 * parses the answer.  The server is master/control.
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

#define ROOT_PATH "/run/fcgipm/control.sock"

/* Between two attempts to connect while the listen queue is full. */
#define RETRY_MS 20
#define ANSWER_MAX_BYTES (64 << 20)
#define PIECE_BYTES 65536

/* The value of the key control in the file; NULL = the file does not set it. */
static char *
configured_path(const char *file)
{
	struct conf_problems ps = {0};
	struct conf c = {0};
	char *path = NULL;

	/* Errors are ignored.  A file that is valid for the supervisor may not
	 * be valid for the user that runs fcgipmctl. */
	(void)conf_load(file, &c, &ps);
	if (c.control)
		path = mem_strdup(c.control);
	conf_problems_free(&ps);
	conf_free(&c);
	return path;
}

/* A user other than root may run a supervisor of its own.  Without one, root's
 * supervisor is asked, which may permit this user. */
static char *
default_path(void)
{
	char *path = conf_control_place();

	if (path && (geteuid() == 0 || access(path, F_OK) == 0))
		return path;
	free(path);
	return mem_strdup(ROOT_PATH);
}

/* A relative path begins in the working directory. */
static char *
make_absolute(const char *name)
{
	char *dir = name[0] == '/' ? NULL : getcwd(NULL, 0);
	char *path = dir ? mem_printf("%s/%s", dir, name) : mem_strdup(name);

	free(dir);
	return path;
}

/* The path of the control socket, or NULL after a message. */
static char *
find_path(const struct supervisor *a)
{
	const char *file = a->config ? a->config : CONF_INSTALLED;
	char *path = NULL;

	if (a->socket)
		return make_absolute(a->socket);
	if (access(file, R_OK) == 0) {
		path = configured_path(file);
	} else if (a->config) {
		print_escaped(
			stderr, "fcgipmctl: %s: %s\n", file, strerror(errno));
		return NULL;
	}
	if (!path)
		return default_path();
	if (strcmp(path, "none") == 0) {
		print_escaped(stderr,
			"fcgipmctl: no control socket: %s contains control = "
			"none; remove that line and restart fcgipm\n",
			file);
		free(path);
		return NULL;
	}
	return path;
}

static void
explain_connect(const char *path, int err)
{
	const struct passwd *owner = NULL;
	struct stat st;

	if (err == EACCES && stat(path, &st) == 0)
		owner = getpwuid(st.st_uid);
	print_escaped(stderr, "fcgipmctl: %s: %s", path, strerror(err));
	if (owner)
		print_escaped(stderr,
			"; its owner is %s: run fcgipmctl as root or as that "
			"user, or set control.mode and control.group",
			owner->pw_name);
	else if (err == EACCES)
		fputs("; run fcgipmctl as root or as the user running fcgipm",
			stderr);
	else if (err == ENOENT)
		fputs("; no fcgipm is listening there: start it, or give its "
		      "configuration file with -c or its control socket with "
		      "-s",
			stderr);
	else if (err == ECONNREFUSED)
		fputs("; the fcgipm that created it has exited: start it again",
			stderr);
	fputc('\n', stderr);
}

/* Milliseconds until the deadline; 0 = it has passed. */
static int
wait_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - now_ms();

	return left > 0 ? (int)MIN(left, (int64_t)INT_MAX) : 0;
}

/* A non-blocking descriptor, or -1 and an exit status. */
static int
connect_to(const char *path, int64_t deadline_ms, int *ret_code)
{
	const char *why = NULL;
	struct addr addr;
	int fd, left;

	*ret_code = CTL_CONNECT;
	if (addr_parse(path, &addr, &why) < 0 || !addr_is_path(&addr)) {
		print_escaped(stderr, "fcgipmctl: %s: %s\n", path,
			why ? why : "not the path of a socket");
		return -1;
	}
	/* The queue is full while the supervisor is busy or stopped. */
	while ((fd = addr_connect(&addr, SOCK_NONBLOCK)) < 0 &&
		errno == EAGAIN && (left = wait_ms(deadline_ms)) > 0)
		(void)poll(NULL, 0, MIN(left, RETRY_MS));
	if (fd < 0 && errno == EAGAIN)
		*ret_code = CTL_TIMEOUT;
	else if (fd < 0)
		explain_connect(path, errno);
	return fd;
}

/* Reads one line; returns an exit status. */
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
exchange_line(const struct supervisor *s, const char *path, const char *line,
	struct buf *answer)
{
	int64_t deadline_ms = now_ms() + s->timeout_ms;
	int code, fd = connect_to(path, deadline_ms, &code);

	if (fd >= 0) {
		if (fd_write_all(fd, line, strlen(line)) < 0 ||
			fd_write_all(fd, "\n", 1) < 0)
			/* The supervisor may have refused this client: its
			 * answer says why. */
			(void)shutdown(fd, SHUT_WR);
		code = read_answer(fd, deadline_ms, answer);
		if (code != CTL_OK && code != CTL_TIMEOUT)
			print_escaped(stderr, "fcgipmctl: %s: no complete "
				"response\n", path);
		fd_close(&fd);
	}
	if (code == CTL_TIMEOUT)
		print_escaped(stderr, "fcgipmctl: %s: no response within "
			"%.1f s\n", path, (double)s->timeout_ms / 1000);
	return code;
}

static const char *
name_of(const json_t *name)
{
	return json_is_string(name) ? json_string_value(name) : "?";
}

/* The error that the supervisor sent as its answer. */
static void
print_error(const json_t *answer)
{
	const char *error = json_string_value(json_object_get(answer, "error"));
	const json_t *pools = json_object_get(answer, "pools");
	size_t i;

	print_escaped(stderr, "fcgipmctl: %s", error);
	for (i = 0; i < json_array_size(pools); i++)
		print_escaped(stderr, "%s %s", i == 0 ? "; pools:" : ",",
			name_of(json_array_get(pools, i)));
	fputc('\n', stderr);
}

static json_t *
parse_answer(const char *path, const struct buf *answer, int *ret_code)
{
	json_t *root = json_loadb(
		(const char *)buf_data(answer), answer->len, 0, NULL);

	if (!json_is_object(root)) {
		print_escaped(stderr,
			"fcgipmctl: %s: the response is not a JSON object; "
			"give the control socket of fcgipm\n",
			path);
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
supervisor_ask(const struct supervisor *a, json_t *request, int *ret_code)
{
	char *line = json_dumps(request, JSON_COMPACT);
	char *path = find_path(a);
	json_t *root = NULL;
	struct buf answer;

	buf_init(&answer, ANSWER_MAX_BYTES);
	*ret_code = !line ? EXIT_SYSTEM
		: !path   ? CTL_CONNECT
			  : exchange_line(a, path, line, &answer);
	if (*ret_code == CTL_OK)
		root = parse_answer(path, &answer, ret_code);
	buf_fini(&answer);
	json_decref(request);
	free(path);
	free(line);
	return root;
}
