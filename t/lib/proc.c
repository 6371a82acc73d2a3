/*
 * proc.c - reads facts about other processes from /proc (proc(5)); see world.h
 */
#include <dirent.h>
#include <grp.h>
#include <sys/wait.h>

#include "world.h"

/* Reads state and parent from /proc/PID/stat; returns false if it is gone. */
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

	snprintf(what, sizeof(what), "process %d exits", (int)pid);
	world_until(is_gone, &pid, what);
}

bool
world_exists(void *path)
{
	return access(path, F_OK) == 0;
}

pid_t
world_read_pid(const char *path)
{
	char text[32] = "";
	FILE *f;

	world_until(world_exists, (void *)path, path);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	cr_assert_not_null(fgets(text, sizeof(text), f));
	fclose(f);
	return (pid_t)atoi(text);
}

size_t
world_fd_count(pid_t pid)
{
	struct dirent *e;
	char path[64];
	size_t n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

const char *
world_proc_status(pid_t pid, const char *key)
{
	static char line[512];
	size_t len = strlen(key);
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, len) == 0 && line[len] == ':') {
			fclose(f);
			line[strcspn(line, "\n")] = '\0';
			len++;
			return line + len + strspn(line + len, " \t");
		}
	if (f)
		fclose(f);
	return "";
}

bool
world_is_prober(pid_t pid)
{
	return strcmp(world_proc_status(pid, "Name"), "fcgipm-prober") == 0;
}

/* Probers are listed only on request, unless they are children of the test. */
static size_t
list_children(pid_t parent, pid_t *ret, size_t max, bool all,
	size_t *ret_probers)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	size_t n = 0;

	cr_assert_not_null(dir);
	*ret_probers = 0;
	while ((e = readdir(dir)) != NULL) {
		pid_t pid = (pid_t)atoi(e->d_name), its;
		char state;

		if (pid <= 0 || !read_stat(pid, &state, &its) ||
			its != parent || state == 'Z' || state == 'X')
			continue;
		if (parent != getpid() && world_is_prober(pid)) {
			++*ret_probers;
			if (!all)
				continue;
		}
		if (n < max)
			ret[n] = pid;
		n++;
	}
	closedir(dir);
	return n;
}

size_t
world_children(pid_t parent, pid_t *ret, size_t max)
{
	size_t probers;

	return list_children(parent, ret, max, false, &probers);
}

size_t
world_all_children(pid_t parent, pid_t *ret, size_t max)
{
	size_t probers;

	return list_children(parent, ret, max, true, &probers);
}

size_t
world_probers(pid_t parent)
{
	size_t probers;

	(void)list_children(parent, NULL, 0, false, &probers);
	return probers;
}

struct crowd {
	pid_t parent;
	size_t least, most;
};

static bool
has_workers(void *arg)
{
	const struct crowd *c = arg;
	size_t n = world_children(c->parent, NULL, 0);

	return n >= c->least && n <= c->most;
}

void
world_expect_workers(const struct world *w, size_t least, size_t most,
	const char *what)
{
	struct crowd c = {w->pid, least, most};

	world_until(has_workers, &c, what);
}

void
world_keeps_workers(const struct world *w, size_t n, const char *what)
{
	struct crowd c = {w->pid, n, n};

	world_until(has_workers, &c, what);
	world_stays(has_workers, &c, what);
}

long
world_call_of_task(const char *task)
{
	FILE *f = fopen(own_text("/proc/%s/syscall", task), "re");
	long number = -1;

	if (f && fscanf(f, "%ld", &number) != 1)
		number = -1;
	if (f)
		fclose(f);
	return number;
}

long
world_call_of(pid_t pid)
{
	return world_call_of_task(own_text("%d", (int)pid));
}

long
world_sleeps(pid_t pid)
{
	const char *text = world_proc_status(pid, "voluntary_ctxt_switches");

	cr_assert_neq(*text, '\0', "process %d is gone", (int)pid);
	return strtol(text, NULL, 10);
}

static void
become(uid_t id)
{
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 ||
		setresuid(id, id, id) < 0)
		_exit(1);
}

long
world_look(long (*look)(pid_t pid), pid_t pid)
{
	const char *user = world_pool_user();
	long seen = -1;
	pid_t child;
	int fds[2];

	if (!user)
		return look(pid);
	cr_assert_eq(pipe2(fds, O_CLOEXEC), 0);
	child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		become((uid_t)atoi(user));
		seen = look(pid);
		_exit(write(fds[1], &seen, sizeof(seen)) < 0);
	}
	close(fds[1]);
	cr_assert_eq(read(fds[0], &seen, sizeof(seen)), sizeof(seen));
	close(fds[0]);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	return seen;
}
