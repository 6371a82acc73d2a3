/*
 * world.c - the directory of a world, the daemon's log, and the check that
 * nothing remains; see world.h
 *
 * launch.c starts the daemon.
 */
#include <dirent.h>
#include <ftw.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "leaks.h"
#include "own.h"
#include "world.h"

/* Longer than any pause between two inspections of a pool that changes. */
#define STAYS_MS 1200

/* The open worlds of this test. */
static struct world *worlds;

/* Criterion leaks 48 bytes with every test that is skipped. */
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libcriterion\n";
}

int64_t
world_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void
world_breathe(void)
{
	struct timespec ts = {0, 2000000};

	nanosleep(&ts, NULL);
}

static const char *
need_env(const char *name)
{
	const char *value = getenv(name);

	cr_assert(value && *value, "%s is not set: run make check-e2e", name);
	return value;
}

char *
world_program(const char *name)
{
	return name[0] == '/' ? own_text("%s", name) :
		own_text("%s/%s", need_env("FCGIPM_BIN"), name);
}

char *
world_handler(const char *name)
{
	return own_text("%s/handlers/%s", need_env("FCGIPM_BIN"), name);
}

char *
world_child(const char *name)
{
	return own_text("%s/children/%s", need_env("FCGIPM_T"), name);
}

char *
world_path(const struct world *w, const char *name)
{
	return own_text("%s/%s", w->dir, name);
}

void
world_need_root(void)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
}

void
world_need_user(void)
{
	if (geteuid() == 0)
		cr_skip_test("needs a user other than root");
}

void
world_need_filter(void)
{
	struct sock_filter accept_all = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	struct sock_fprog prog = {.len = 1, .filter = &accept_all};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	cr_assert_geq(fd, 0);
	rc = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
	close(fd);
	if (rc < 0)
		cr_skip_test("the kernel allows only root to filter a socket");
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

/* Kills every process whose command line contains the directory. */
static void
kill_by_directory(const char *dir)
{
	DIR *proc = opendir("/proc");
	struct dirent *e;

	while (proc && (e = readdir(proc)) != NULL) {
		char path[300], line[4096];
		ssize_t n;
		int fd;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? 0 : read(fd, line, sizeof(line));
		if (fd >= 0)
			close(fd);
		if (n > 0 && memmem(line, (size_t)n, dir, strlen(dir)))
			kill((pid_t)atoi(e->d_name), SIGKILL);
	}
	if (proc)
		closedir(proc);
}

/* The end of the daemon's log, which explains most failures. */
static void
print_log(const struct world *w)
{
	static char text[8192];
	int fd = open(w->log, O_RDONLY | O_CLOEXEC);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	ssize_t n = 0;

	if (size > 0)
		n = pread(fd, text, sizeof(text),
			size > (off_t)sizeof(text) ?
				size - (off_t)sizeof(text) : 0);
	if (n > 0)
		dprintf(2, "[----] log of %s:\n%.*s", w->dir, (int)n, text);
	if (fd >= 0)
		close(fd);
}

/*
 * Starts a process that cleans up after a failed test, which does not run its
 * last lines.  The guard sleeps until the test's end of the pipe is closed, by
 * world_close() or by the end of the test.  Then it prints the log, and kills
 * and removes what remains.
 */
static void
start_guard(struct world *w)
{
	int fds[2];
	char c;

	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	w->guardfd = fds[1];
	w->guard = fork();
	cr_assert_geq(w->guard, 0);
	if (w->guard > 0) {
		close(fds[0]);
		return;
	}
	/* Close the copies of the test's descriptors, so that no peer waits for
	 * this process. */
	if (setsid() < 0 || dup2(fds[0], 0) < 0)
		_exit(1);
	close(1);
	close_range(3, ~0U, 0);
	signal(SIGTERM, SIG_IGN);
	if (read(0, &c, 1) == 0) {
		print_log(w);
		kill_by_directory(w->dir);
		nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	}
	_exit(0);
}

/* Below the range that the kernel gives to clients, so that only servers
 * collide. */
static int
find_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int port = 20000 + getpid() * 7 % 12000, i, fd, rc;

	for (i = 0; i < 100; i++, port++) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		cr_assert_geq(fd, 0);
		in.sin_port = htons((uint16_t)port);
		rc = bind(fd, (struct sockaddr *)&in, sizeof(in));
		close(fd);
		if (rc == 0)
			return port;
	}
	cr_assert_fail("no free port");
	return 0;
}

const char *
world_pool_user(void)
{
	const char *user = getenv("FCGIPM_POOL_USER");

	return user && *user ? user : NULL;
}

bool
world_is_blind(void)
{
	return geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_SYS_PTRACE) == 0;
}

struct world *
world_open(void)
{
	const char *tmp = getenv("TMPDIR");
	struct world *w = calloc(1, sizeof(*w));

	cr_assert_not_null(w);
	/* Processes that the daemon leaves become children of the test. */
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	snprintf(w->dir, sizeof(w->dir), "%s/fcgipm-XXXXXX",
		tmp && *tmp ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(w->dir), "%s: %s", w->dir, strerror(errno));
	cr_assert_eq(chmod(w->dir, 0755), 0);
	/* Programs write their results into it. */
	if (world_pool_user())
		cr_assert_eq(chown(w->dir, (uid_t)atoi(world_pool_user()), -1U), 0);
	snprintf(w->log, sizeof(w->log), "%s/log", w->dir);
	w->port = find_port();
	snprintf(w->tcp, sizeof(w->tcp), "127.0.0.1:%d", w->port);
	start_guard(w);
	w->next = worlds;
	worlds = w;
	return w;
}

/* Writes text with its marks replaced to a stream. */
static void
put_replaced(const struct world *w, const char *text, FILE *f)
{
	char port[16];
	const struct {
		const char *mark, *value;
	} marks[] = {{"@DIR@", w->dir}, {"@BIN@", need_env("FCGIPM_BIN")},
		{"@T@", need_env("FCGIPM_T")}, {"@PORT@", port}};
	size_t i;

	snprintf(port, sizeof(port), "%d", w->port);
	while (*text) {
		for (i = 0; i < 4; i++) {
			size_t len = strlen(marks[i].mark);

			if (strncmp(text, marks[i].mark, len) == 0) {
				fputs(marks[i].value, f);
				text += len;
				break;
			}
		}
		if (i == 4)
			putc(*text++, f);
	}
}

const char *
world_write(const struct world *w, const char *name, const char *text)
{
	const char *path = world_path(w, name);
	FILE *f = fopen(path, "we");

	cr_assert_not_null(f, "%s: %s", path, strerror(errno));
	put_replaced(w, text, f);
	cr_assert_eq(fclose(f), 0);
	return path;
}

const char *
world_script(const struct world *w, const char *name, const char *text)
{
	const char *path = world_write(w, name, text);

	cr_assert_eq(chmod(path, 0755), 0);
	return path;
}

/* The caller frees it: tests that wait for a line read the log often. */
static char *
read_log(struct world *w)
{
	FILE *f = fopen(w->log, "re");
	size_t len = 0, n;
	char *text = calloc(1, 1);

	while (f && text) {
		text = realloc(text, len + 65537);
		cr_assert_not_null(text);
		n = fread(text + len, 1, 65536, f);
		len += n;
		text[len] = '\0';
		if (n == 0)
			break;
	}
	if (f)
		fclose(f);
	return text;
}

char *
world_log(struct world *w)
{
	return own_memory(read_log(w));
}

bool
world_log_has(struct world *w, const char *text)
{
	char *log = read_log(w);
	bool has = strstr(log, text) != NULL;

	free(log);
	return has;
}

size_t
world_log_count(struct world *w, const char *text)
{
	char *log = read_log(w), *at = log;
	size_t n = 0;

	for (; (at = strstr(at, text)) != NULL; at += strlen(text))
		n++;
	free(log);
	return n;
}

void
world_expect_log(struct world *w, const char *text)
{
	int64_t until = world_now_ms() + WORLD_PATIENCE_MS;
	int status;

	while (!world_log_has(w, text)) {
		bool gone = w->pid && waitpid(w->pid, &status, WNOHANG) ==
			w->pid;

		if (gone)
			w->pid = 0;
		if (gone || world_now_ms() > until) {
			char *log = read_log(w);

			cr_assert(gone ? strstr(log, text) != NULL : false,
				"%s; not in the log: \"%s\":\n%s",
				gone ? "the daemon exited" : "timeout", text,
				log);
			free(log);
			return;
		}
		world_breathe();
	}
}

struct lines {
	struct world *w;
	const char *text;
	size_t times;
};

static bool
has_lines(void *arg)
{
	const struct lines *l = arg;

	return world_log_count(l->w, l->text) == l->times;
}

void
world_expect_lines(struct world *w, const char *text, size_t times)
{
	struct lines l = {w, text, times};

	world_until(has_lines, &l, text);
}

static int
find_socket(const char *path, const struct stat *st, int flag,
	struct FTW *ftw)
{
	(void)flag, (void)ftw;
	if (st && S_ISSOCK(st->st_mode)) {
		cr_expect_fail("a socket file remains: %s", path);
		return 1;
	}
	return 0;
}

void
world_close(struct world **w)
{
	int64_t until = world_now_ms() + WORLD_PATIENCE_MS;
	struct world **at = &worlds;
	pid_t left[8];

	while (*at && *at != *w)
		at = &(*at)->next;
	if (*at)
		*at = (*w)->next;
	if ((*w)->pid)
		world_stop(*w);
	/* Orphans are children of the test now; dying ones get a moment. */
	kill((*w)->guard, SIGKILL);
	close((*w)->guardfd);
	do {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (world_children(getpid(), left, 8) == 0)
			break;
		world_breathe();
	} while (world_now_ms() < until);
	cr_expect_eq(world_children(getpid(), left, 8), 0,
		"process %d remains", (int)left[0]);
	leaks_check_log(*w);
	nftw((*w)->dir, find_socket, 16, FTW_PHYS);
	nftw((*w)->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*w);
	*w = NULL;
}

void
world_close_changed(struct world **w)
{
	(*w)->changed = true;
	world_close(w);
}

static void (*test_body)(void);

static void
run_test(void)
{
	struct world *w;

	test_body();
	own_close_sockets();
	while ((w = worlds) != NULL)
		world_close(&w);
	own_free_all();
}

#undef criterion_internal_test_main

void
world_test_main(void (*body)(void))
{
	test_body = body;
	criterion_internal_test_main(run_test);
}

void
world_expect_deaths(struct world *w)
{
	w->deaths = true;
}

void
world_until(bool (*check)(void *), void *arg, const char *what)
{
	int64_t until = world_now_ms() + WORLD_PATIENCE_MS;

	while (!check(arg)) {
		cr_assert_lt(world_now_ms(), until, "timeout: %s", what);
		world_breathe();
	}
}

void
world_stays(bool (*check)(void *), void *arg, const char *what)
{
	int64_t begin = world_now_ms();

	do {
		cr_assert(check(arg), "%s: no longer true after %lld ms", what,
			(long long)(world_now_ms() - begin));
		world_breathe();
	} while (world_now_ms() < begin + STAYS_MS);
}
