/*
 * world.c - a fresh folder and the real daemon in it; see world.h
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "world.h"

#define PATIENCE_MS 20000

static int64_t
clock_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
breathe(void)
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

static const char *
rotating(const char *fmt, const char *a, const char *b)
{
	static char paths[16][600];
	static unsigned next;
	char *path = paths[next++ % 16];

	snprintf(path, sizeof(paths[0]), fmt, a, b);
	return path;
}

const char *
world_handler(const char *name)
{
	return rotating("%s/handlers/%s", need_env("FCGIPM_BIN"), name);
}

const char *
world_child(const char *name)
{
	return rotating("%s/children/%s", need_env("FCGIPM_T"), name);
}

const char *
world_path(const struct world *w, const char *name)
{
	return rotating("%s/%s", w->dir, name);
}

struct world *
world_open(void)
{
	const char *tmp = getenv("TMPDIR");
	struct world *w = calloc(1, sizeof(*w));

	cr_assert_not_null(w);
	/* What the daemon leaves behind becomes our child, and is seen. */
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	snprintf(w->dir, sizeof(w->dir), "%s/fcgipm-XXXXXX",
		tmp && *tmp ? tmp : "/tmp");
	cr_assert_not_null(mkdtemp(w->dir), "%s: %s", w->dir, strerror(errno));
	cr_assert_eq(chmod(w->dir, 0755), 0);
	snprintf(w->log, sizeof(w->log), "%s/log", w->dir);
	return w;
}

/* text with @DIR@, @BIN@ and @T@ replaced, to a stream. */
static void
put_replaced(const struct world *w, const char *text, FILE *f)
{
	const struct {
		const char *mark, *value;
	} marks[] = {{"@DIR@", w->dir}, {"@BIN@", need_env("FCGIPM_BIN")},
		{"@T@", need_env("FCGIPM_T")}};
	size_t i;

	while (*text) {
		for (i = 0; i < 3; i++) {
			size_t len = strlen(marks[i].mark);

			if (strncmp(text, marks[i].mark, len) == 0) {
				fputs(marks[i].value, f);
				text += len;
				break;
			}
		}
		if (i == 3)
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

char *
world_read_log(struct world *w)
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

bool
world_log_has(struct world *w, const char *text)
{
	char *log = world_read_log(w);
	bool has = strstr(log, text) != NULL;

	free(log);
	return has;
}

void
world_expect_log(struct world *w, const char *text)
{
	int64_t until = clock_ms() + PATIENCE_MS;
	int status;

	while (!world_log_has(w, text)) {
		bool gone = w->pid && waitpid(w->pid, &status, WNOHANG) ==
			w->pid;

		if (gone)
			w->pid = 0;
		if (gone || clock_ms() > until) {
			char *log = world_read_log(w);

			cr_assert(gone ? strstr(log, text) != NULL : false,
				"%s; the log has no \"%s\":\n%s",
				gone ? "the daemon ended" : "time is up", text,
				log);
			free(log);
			return;
		}
		breathe();
	}
}

static pid_t
spawn(struct world *w, char *const *argv, const char *out)
{
	const char *program = rotating("%s/%s", need_env("FCGIPM_BIN"),
		argv[0]);
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0644);
		int null = open("/dev/null", O_RDONLY);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		if (fd < 0 || null < 0 || dup2(null, 0) < 0 ||
			dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ||
			chdir(w->dir) < 0)
			_exit(126);
		execv(program, argv);
		_exit(127);
	}
	return pid;
}

void
world_launch(struct world *w, const char *ini)
{
	char *argv[] = {"fcgipm", "-c", NULL, NULL};

	argv[2] = strdup(world_write(w, "fcgipm.ini", ini));
	cr_assert_eq(w->pid, 0, "one daemon a world");
	unlink(w->log);
	w->pid = spawn(w, argv, w->log);
	free(argv[2]);
}

void
world_start(struct world *w, const char *ini)
{
	world_launch(w, ini);
	world_expect_log(w, "ready: ");
}

static int
decode(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

int
world_wait(struct world *w)
{
	int64_t until = clock_ms() + PATIENCE_MS;
	int status = 0;
	pid_t pid;

	while ((pid = waitpid(w->pid, &status, WNOHANG)) == 0) {
		if (clock_ms() > until) {
			char *log = world_read_log(w);

			kill(w->pid, SIGKILL);
			cr_assert_fail("the daemon does not end:\n%s", log);
		}
		breathe();
	}
	cr_assert_eq(pid, w->pid);
	w->pid = 0;
	return decode(status);
}

int
world_run(struct world *w, char *const *argv, char **ret_out)
{
	struct world run = *w;
	int code;

	snprintf(run.log, sizeof(run.log), "%s/run.out", w->dir);
	unlink(run.log);
	run.pid = spawn(&run, argv, run.log);
	code = world_wait(&run);
	if (ret_out)
		*ret_out = world_read_log(&run);
	unlink(run.log);
	return code;
}

void
world_stop(struct world *w)
{
	int code;

	cr_assert_gt(w->pid, 0);
	cr_assert_eq(kill(w->pid, SIGTERM), 0);
	code = world_wait(w);
	if (code != 0) {
		char *log = world_read_log(w);

		cr_assert_fail("exit status %d at the stop:\n%s", code, log);
	}
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int
find_socket(const char *path, const struct stat *st, int flag,
	struct FTW *ftw)
{
	(void)flag, (void)ftw;
	if (st && S_ISSOCK(st->st_mode)) {
		cr_expect_fail("a socket is left behind: %s", path);
		return 1;
	}
	return 0;
}

void
world_close(struct world **w)
{
	int64_t until = clock_ms() + PATIENCE_MS;
	pid_t left[8];

	if ((*w)->pid)
		world_stop(*w);
	/* Orphans are our children now; dying ones get a moment. */
	do {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (world_children(getpid(), left, 8) == 0)
			break;
		breathe();
	} while (clock_ms() < until);
	cr_expect_eq(world_children(getpid(), left, 8), 0,
		"process %d is left behind", (int)left[0]);
	nftw((*w)->dir, find_socket, 16, FTW_PHYS);
	nftw((*w)->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*w);
	*w = NULL;
}

void
world_until(bool (*check)(void *), void *arg, const char *what)
{
	int64_t until = clock_ms() + PATIENCE_MS;

	while (!check(arg)) {
		cr_assert_lt(clock_ms(), until, "waited in vain: %s", what);
		breathe();
	}
}

/* The letter and the parent of /proc/PID/stat; false when it is gone. */
static bool
read_stat(pid_t pid, char *state, pid_t *parent)
{
	char path[64], line[512], *close;
	int ppid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	close = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	if (!close || sscanf(close + 1, " %c %d", state, &ppid) != 2)
		return false;
	*parent = ppid;
	return true;
}

bool
world_alive(pid_t pid)
{
	char state;
	pid_t parent;

	return read_stat(pid, &state, &parent) && state != 'Z' &&
		state != 'X';
}

static bool
is_gone(void *arg)
{
	return !world_alive(*(pid_t *)arg);
}

void
world_until_gone(pid_t pid)
{
	char what[64];

	snprintf(what, sizeof(what), "process %d ends", (int)pid);
	world_until(is_gone, &pid, what);
}

static bool
exists(void *arg)
{
	return access(arg, R_OK) == 0;
}

pid_t
world_read_pid(const char *path)
{
	char text[32] = "";
	FILE *f;

	world_until(exists, (void *)path, path);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	cr_assert_not_null(fgets(text, sizeof(text), f));
	fclose(f);
	return (pid_t)atoi(text);
}

size_t
world_children(pid_t parent, pid_t *ret, size_t max)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	cr_assert_not_null(dir);
	while ((e = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name), its;
		char state;

		if (pid > 0 && read_stat(pid, &state, &its) && its == parent &&
			state != 'Z' && state != 'X') {
			if (n < max)
				ret[n] = pid;
			n++;
		}
	}
	closedir(dir);
	return n;
}
