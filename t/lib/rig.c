/*
 * rig.c - workers with the preloaded library and a board; see rig.h
 */
#include <sys/prctl.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/vec.h"
#include "rig.h"
#include "sys/procfs.h"

/* Spare slots of the board. */
enum { SPARE = 2 };

struct rig
rig_open(unsigned nslots, unsigned threads)
{
	struct rig r = {.w = world_open()};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	r.b = board_new(nslots, SPARE, threads);
	cr_assert_not_null(r.b);
	r.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(r.listener, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%.90s/s.sock", r.w->dir);
	cr_assert_eq(bind(r.listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(listen(r.listener, 64), 0);
	snprintf(r.shim, sizeof(r.shim), "%s/../lib/libfcgipm-shim.so",
		getenv("FCGIPM_BIN"));
	cr_assert_eq(access(r.shim, R_OK), 0, "%s", r.shim);
	return r;
}

void
rig_close(struct rig *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->pids); i++)
		if (r->pids[i] > 0) {
			kill(-r->pids[i], SIGKILL);
			cr_expect_eq(waitpid(r->pids[i], NULL, 0), r->pids[i]);
		}
	board_free(&r->b);
	close(r->listener);
	unlink(world_path(r->w, "s.sock"));
	world_close(&r->w);
}

/* In the child: sets descriptor 0, the log, and the board as 3 and 4. */
static void
become(struct rig *r, char **argv, char **envp)
{
	int from[] = {r->listener, -1, -1, board_fd(r->b),
		board_eventfd(r->b)};
	int i;

	from[1] = from[2] = open(world_path(r->w, "log"),
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	for (i = 0; i < 5; i++)
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 64);
	for (i = 0; i < 5; i++)
		if (dup2(from[i], i) < 0)
			_exit(126);
	if (setsid() < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
		close_range(5, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(126);
	execve(argv[0], argv, envp);
	_exit(127);
}

void
rig_spawn_as(struct rig *r, unsigned slot, char **argv, const char *preload,
	const char *const *extra)
{
	struct vec env;

	vec_init(&env);
	for (; extra && *extra; extra++)
		vec_add(&env, *extra);
	vec_add(&env, "PATH=/usr/local/bin:/usr/bin:/bin");
	vec_add(&env, "PHP_FCGI_MAX_REQUESTS=0");
	vec_addf(&env, "FCGIPM_WORKER=%u", slot);
	board_env(&env, 3, r->shim, preload);
	board_reset(r->b, slot, 0);
	if (r->stop_first)
		board_ask_stop(r->b, slot);
	cr_assert_not_null(vec_array(&env));
	r->pids[slot] = fork();
	cr_assert_geq(r->pids[slot], 0);
	if (r->pids[slot] == 0)
		become(r, argv, vec_array(&env));
	board_started(r->b, slot, r->pids[slot]);
	vec_fini(&env);
}

void
rig_spawn(struct rig *r, unsigned slot, const char *program, const char *arg)
{
	char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t)arg,
		NULL};

	rig_spawn_as(r, slot, argv, NULL, NULL);
}

void
rig_expect_exit(struct rig *r, unsigned slot, const char *why)
{
	int status;

	cr_assert_eq(waitpid(r->pids[slot], &status, 0), r->pids[slot]);
	r->pids[slot] = 0;
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0,
		"%s: wait status %#x", why, (unsigned)status);
}

struct rig *
rig_at(struct rig *r, unsigned slot, uint64_t want)
{
	r->slot = slot;
	r->want = want;
	return r;
}

bool
rig_is_attached(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen);
}

bool
rig_has_state(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.state == r->want;
}

bool
rig_has_accepting(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.accepting == r->want;
}

bool
rig_has_accepted(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.accepted >= r->want;
}

bool
rig_has_running(void *arg)
{
	struct rig *r = arg;

	return board_read(r->b, r->slot, &r->seen) &&
		r->seen.running == r->want;
}

bool
rig_has_idle(void *arg)
{
	struct rig *r = arg;

	return board_idle(r->b) == r->want;
}

struct board_sample
rig_sum(const struct rig *r)
{
	struct board_sample all = {0}, one;
	unsigned i;

	for (i = 0; i < board_slots(r->b); i++) {
		if (!board_read(r->b, i, &one))
			continue;
		all.requests += one.requests;
		all.accepted += one.accepted;
		all.bytes_in += one.bytes_in;
		all.bytes_out += one.bytes_out;
		all.open += one.open;
		all.running += one.running;
		all.incomplete |= one.incomplete;
	}
	return all;
}

bool
rig_has_counted(void *arg)
{
	struct rig *r = arg;

	r->seen = rig_sum(r);
	return r->seen.requests == r->want && r->seen.open == 0;
}

bool
rig_is_in_accept(void *arg)
{
	return procfs_sample(((struct rig *)arg)->pids[0]) == PROCFS_ACCEPTING;
}

size_t
rig_read_answer(int fd)
{
	static uint8_t p[1 << 17];
	size_t len = 0, at = 0, size;
	ssize_t n;

	for (;;) {
		while (len - at >= 8) {
			size = 8 + (size_t)(p[at + 4] << 8 | p[at + 5]) +
				p[at + 6];
			if (len - at < size)
				break;
			at += size;
			if (p[at - size + 1] == END)
				goto ended;
		}
		cr_assert_lt(len, sizeof(p));
		n = recv(fd, p + len, sizeof(p) - len, 0);
		cr_assert_gt(n, 0, "no answer after %zu bytes: %s", len,
			n < 0 ? strerror(errno) : "closed");
		len += (size_t)n;
	}
ended:
	cr_assert_eq(at, len, "bytes after the answer");
	return len;
}

const char *const rig_params[] = {"REQUEST_METHOD=POST",
	"SCRIPT_NAME=/script", "REQUEST_URI=/uri?x=y", "CONTENT_LENGTH=5",
	"CONTENT_TYPE=text/plain", "REDIRECT_STATUS=200",
	"SERVER_PROTOCOL=HTTP/1.1", "QUERY_STRING=x=y",
	"HTTP_X_LONG=0123456789012345678901234567890123456789012345678901234567"
	"890123456789012345678901234567890123456789012345678901234567890123456"
	"789012345678901234567890123456789", NULL};

struct rig_asked
rig_ask(struct rig *r, unsigned count, int flags, const char *const *with)
{
	uint8_t request[4096];
	size_t len = client_put_request(request, sizeof(request), flags,
		with, "hello", 5);
	struct rig_asked a = {0};
	int fd = -1;
	unsigned i;

	for (i = 0; i < count; i++) {
		if (fd < 0)
			fd = client_connect(r->w, "s.sock");
		client_send(fd, request, len);
		a.in += len;
		a.out += rig_read_answer(fd);
		if (!(flags & KEEP_CONN)) {
			/* The worker closes first. */
			cr_assert_eq(client_drain(fd), 0);
			close(fd);
			fd = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return a;
}

const char *
rig_hello(void)
{
	return world_handler("hello");
}

static const char *
path_perl(void)
{
	return world_handler("hello.pl");
}

const char *
rig_php(void)
{
	return "/usr/bin/php-cgi";
}

const char *
rig_python(void)
{
	return world_child("fcgi.py");
}

static const char *
path_fortified(void)
{
	return world_child("fortified");
}

const struct rig_program rig_programs[RIG_PROGRAMS] = {
	{"libfcgi", rig_hello, NULL, false},
	{"Perl", path_perl, NULL, false},
	{"php-cgi", rig_php, NULL, false},
	{"Python", rig_python, "recv", false},
	/* All calls that read. */
	{"Python, read", rig_python, "read", false},
	{"Python, readv", rig_python, "readv", false},
	{"Python, recvfrom", rig_python, "recvfrom", false},
	{"Python, recvmsg", rig_python, "recvmsg", false},
	{"Python, byte by byte", rig_python, "bytes", false},
	{"fortified", path_fortified, NULL, true},
};

const char *const *
rig_script_params(void)
{
	static const char *with[ARRAY_SIZE(rig_params) + 1];
	static char script[700];

	snprintf(script, sizeof(script), "SCRIPT_FILENAME=%s",
		world_handler("hello.php"));
	memcpy(with, rig_params, sizeof(rig_params));
	with[ARRAY_SIZE(rig_params) - 1] = script;
	with[ARRAY_SIZE(rig_params)] = NULL;
	return with;
}
