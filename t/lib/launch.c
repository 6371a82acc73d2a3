/*
 * launch.c - starts the daemon of a world and other programs, and waits for
 * their end; see world.h
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include "leaks.h"
#include "own.h"
#include "world.h"

/* The library does nothing in other programs.  It may be loaded before a
 * sanitizer's library. */
static int
preload_races(void)
{
	const char *options = getenv("ASAN_OPTIONS");
	char all[300];

	if (!getenv("FCGIPM_RACES"))
		return 0;
	snprintf(all, sizeof(all), "%s:verify_asan_link_order=0",
		options ? options : "");
	return setenv("ASAN_OPTIONS", all, 1) < 0 ||
			setenv("LD_PRELOAD", world_child("races.so"), 1) < 0 ?
		-1 : 0;
}

void
world_hold_races(const char *races)
{
	cr_assert_eq(setenv("FCGIPM_RACES", races, 1), 0);
}

static pid_t
spawn(struct world *w, const char *const *argv, const char *out)
{
	const char *program = world_program(argv[0]);
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0) {
		int fd = open(out, O_WRONLY | O_CREAT | O_APPEND, 0644);
		const char *run = world_path(w, "run");
		int null = open("/dev/null", O_RDONLY);
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		/* Exit with the test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Several daemons need a control.sock each, in a directory of
		 * their own. */
		if (fd < 0 || null < 0 || dup2(null, 0) < 0 ||
			dup2(fd, 1) < 0 || dup2(fd, 2) < 0 ||
			chdir(w->dir) < 0 ||
			setenv("RUNTIME_DIRECTORY", run, 1) < 0 ||
			preload_races() < 0)
			_exit(126);
		execv(program, (char *const *)argv);
		_exit(127);
	}
	return pid;
}

void
world_launch_argv(struct world *w, const char *const *argv)
{
	cr_assert_eq(w->pid, 0, "a world has one daemon");
	leaks_check_log(w);
	unlink(w->log);
	w->fds = 0;
	w->pid = spawn(w, argv, w->log);
}

/* Returns whether the section that begins here has this key. */
static bool
section_has(const char *at, const char *key)
{
	size_t len = strlen(key);

	while ((at = strchr(at, '\n')) != NULL && *++at != '[')
		if (strncmp(at, key, len) == 0 && strchr(" =", at[len]))
			return true;
	return false;
}

/* Returns the text with the key user in every pool that has none; the caller
 * frees it. */
static char *
add_user(const char *ini, const char *user)
{
	size_t len = 0;
	char *text = NULL;
	FILE *f = open_memstream(&text, &len);

	cr_assert_not_null(f);
	while (*ini) {
		size_t line = strcspn(ini, "\n") + 1;

		cr_assert_eq(ini[line - 1], '\n', "the section does not begin on a new line");
		fprintf(f, "%.*s", (int)line, ini);
		if (*ini == '[' && strncmp(ini, "[fcgipm]", 8) != 0 &&
			!section_has(ini, "user"))
			fprintf(f, "user = %s\n", user);
		ini += line;
	}
	cr_assert_eq(fclose(f), 0);
	return text;
}

void
world_launch(struct world *w, const char *ini)
{
	const char *argv[] = {"fcgipm", "-c", NULL, NULL};
	char *text = NULL;

	if (world_pool_user())
		ini = text = add_user(ini, world_pool_user());
	argv[2] = world_write(w, "fcgipm.ini", ini);
	free(text);
	world_launch_argv(w, argv);
}

int
world_refused(struct world *w, const char *ini)
{
	world_launch(w, ini);
	return world_wait(w);
}

void
world_start(struct world *w, const char *ini)
{
	world_launch(w, ini);
	world_expect_log(w, "ready: ");
	leaks_begin(w);
}

void
world_start_without(struct world *w, const char *call, const char *err,
	const char *ini)
{
	const char *argv[] = {world_child("deny"), call, err,
		world_program("fcgipm"), "-c",
		world_write(w, "fcgipm.ini", ini), NULL};

	world_launch_argv(w, argv);
	world_expect_log(w, "ready: ");
	leaks_begin(w);
}

void
world_start_www(struct world *w, const char *keys)
{
	char ini[3000];
	int n = snprintf(ini, sizeof(ini),
		"[www]\nlisten = @DIR@/www.sock\n%s", keys);

	cr_assert_lt((size_t)n, sizeof(ini));
	world_start(w, ini);
}

void
world_start_cgi(struct world *w, const char *program, const char *keys)
{
	char ini[1000];
	int n = snprintf(ini, sizeof(ini),
		"[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"%s\n%s", program, keys);

	cr_assert_lt((size_t)n, sizeof(ini));
	world_start(w, ini);
}

struct world *
world_start_script(const char *script, const char *keys)
{
	struct world *w = world_open();

	world_script(w, "script", script);
	world_start_cgi(w, "handler = @DIR@/script", keys);
	return w;
}

struct world *
world_serve(const char *keys)
{
	struct world *w = world_open();

	world_start_www(w, keys);
	return w;
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
	int64_t until = world_now_ms() + WORLD_PATIENCE_MS;
	int status = 0;
	pid_t pid;

	while ((pid = waitpid(w->pid, &status, WNOHANG)) == 0) {
		if (world_now_ms() > until) {
			kill(w->pid, SIGKILL);
			cr_assert_fail("the daemon did not exit:\n%s",
				world_log(w));
		}
		world_breathe();
	}
	cr_assert_eq(pid, w->pid);
	w->pid = 0;
	return decode(status);
}

int
world_run(struct world *w, const char *const *argv, char **ret_out)
{
	struct world run = *w;
	int code;

	snprintf(run.log, sizeof(run.log), "%s/run.out", w->dir);
	unlink(run.log);
	run.pid = spawn(&run, argv, run.log);
	code = world_wait(&run);
	if (ret_out)
		*ret_out = world_log(&run);
	unlink(run.log);
	return code;
}

void
world_shell(struct world *w, const char *text)
{
	const char *path = world_write(w, "script.sh", text);
	const char *argv[] = {"/bin/sh", "-eu", path, NULL};
	char *out;
	int code = world_run(w, argv, &out);

	cr_assert_eq(code, 0, "sh: exit status %d: %s", code, out);
}

const char *
world_go(struct world *w, const char *source)
{
	const char *program = own_text("%s/%s.bin", w->dir, source);
	char cache[300], *out = NULL;
	const char *argv[] = {"/usr/bin/env", cache, "GO111MODULE=off",
		"/usr/bin/go", "build", "-o", program,
		world_child(source), NULL};

	if (access(argv[3], X_OK) < 0)
		cr_skip_test("/usr/bin/go is not installed (Debian: golang-go)");
	snprintf(cache, sizeof(cache), "GOCACHE=%s/cache", w->dir);
	cr_assert_eq(world_run(w, argv, &out), 0, "%s", out);
	cr_assert_eq(chmod(program, 0755), 0);
	return program;
}

void
world_signal(struct world *w, int signo)
{
	cr_assert_gt(w->pid, 0);
	cr_assert_eq(kill(w->pid, signo), 0);
}

void
world_stop(struct world *w)
{
	int code;

	leaks_check(w);
	world_signal(w, SIGTERM);
	code = world_wait(w);
	if (code != 0)
		cr_assert_fail("exit status %d after the stop:\n%s", code,
			world_log(w));
}

void
world_stop_busy(struct world *w)
{
	w->fds = 0;
	world_stop(w);
}
