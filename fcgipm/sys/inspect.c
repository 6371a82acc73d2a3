/*
 * inspect.c - formats what a process does, from /proc; see inspect.h
 *
 * Called by observe/describe, observe/prober and timeout/watchdog.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/inspect.h"
#include "sys/procfs.h"

#define TASKS_MAX 32
#define FILE_MAX 8192

const char *
inspect_call_name(long nr)
{
	switch (nr) {
#define CALL(name) case SYS_##name: return #name;
#include "calls.inc"
#undef CALL
	default:
		return NULL;
	}
}

/* Reads /proc/PID/NAME, or /proc/PID/task/TID/NAME when tid is not 0.  The
 * caller frees the text; NULL with errno. */
static char *
read_entry(pid_t pid, pid_t tid, const char *name)
{
	char path[96], *text;
	size_t len;

	if (tid > 0)
		snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid,
			(int)tid, name);
	else
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fd_read_file(path, FILE_MAX, &text, &len) < 0 ? NULL : text;
}

/* Finds the number after key, as in "syscr: 17". */
static bool
find_number(const char *text, const char *key, uint64_t *ret)
{
	const char *at = strstr(text, key);

	if (!at)
		return false;
	*ret = strtoull(at + strlen(key), NULL, 10);
	return true;
}

/* proc_pid_stat(5) */
static const char *
state_word(char letter)
{
	switch (letter) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'D':
		return "waiting for I/O";
	case 'T':
		return "stopped";
	case 't':
		return "stopped by a debugger";
	case 'Z':
	case 'X':
		return "exited";
	default:
		return "?";
	}
}

static void
name_call(long nr, char *buf, size_t size)
{
	const char *name = inspect_call_name(nr);

	if (name)
		snprintf(buf, size, "%s", name);
	else
		snprintf(buf, size, "system call %ld", nr);
}

/* Names the system call of a task; "" when it runs in user mode.  -1 with
 * errno when that cannot be read. */
static int
call_of(pid_t pid, pid_t tid, char *buf, size_t size)
{
	char *text = read_entry(pid, tid, "syscall"), *end;
	long nr;

	buf[0] = '\0';
	nr = text ? strtol(text, &end, 10) : -1;
	if (text && end != text && nr >= 0)
		name_call(nr, buf, size);
	free(text);
	return text ? 0 : -1;
}

int
inspect_brief(pid_t pid, char *buf, size_t size)
{
	pid_t tids[TASKS_MAX];
	size_t n = procfs_list_tasks(pid, tids, TASKS_MAX), i, len = 0;
	char call[64], word[128];
	int err = n == 0 ? ESRCH : 0;

	snprintf(buf, size, "exited");
	for (i = 0; i < n && len < size; i++) {
		if (call_of(pid, tids[i], call, sizeof(call)) < 0)
			err = errno;
		snprintf(word, sizeof(word), "%s%s%s",
			state_word(procfs_task_state(pid, tids[i])),
			call[0] ? " in " : "", call);
		/* Threads in the same state are listed once. */
		if (len > 0 && strstr(buf, word))
			continue;
		len += (size_t)snprintf(buf + len, size - len, "%s%s",
			len ? ", " : "", word);
	}
	errno = err;
	return err ? -1 : 0;
}

/* Prints "230 0x0 0x0 ... SP PC" as "clock_nanosleep(0x0, 0x0, ...)".  Returns
 * 0 or errno. */
static int
report_call(pid_t pid, pid_t tid, FILE *out)
{
	char *text = read_entry(pid, tid, "syscall"), *at, *end, name[64];
	long nr;
	int i, err = errno;

	if (!text) {
		fprintf(out, "system call: %s\n", strerror(err));
		return err;
	}
	text[strcspn(text, "\n")] = '\0';
	nr = strtol(text, &at, 10);
	name_call(nr, name, sizeof(name));
	if (at == text || nr < 0) {
		fprintf(out, "system call: none (%s)\n", text);
	} else {
		fprintf(out, "system call: %s(", name);
		for (i = 0; i < 6 && *at; i++) {
			fprintf(out, "%s0x%llx", i ? ", " : "",
				strtoull(at, &end, 16));
			at = end;
		}
		fprintf(out, ")\n");
	}
	free(text);
	return 0;
}

/* Each line of the entry is such as "[<0>] hrtimer_nanosleep+0xb1/0x1a0". */
static void
report_stack(pid_t pid, pid_t tid, FILE *out)
{
	char *text = read_entry(pid, tid, "stack"), *line, *rest;

	if (!text) {
		fprintf(out, "kernel stack: %s\n", strerror(errno));
		return;
	}
	for (line = strtok_r(text, "\n", &rest); line;
		line = strtok_r(NULL, "\n", &rest)) {
		char *name = strchr(line, ']');

		fprintf(out, "kernel stack: %s\n",
			name ? name + strspn(name, "] ") : line);
	}
	free(text);
}

/* Returns 0, or errno when the system call of the task cannot be read. */
static int
report_task(pid_t pid, pid_t tid, FILE *out)
{
	char *wchan = read_entry(pid, tid, "wchan");
	char state = procfs_task_state(pid, tid);
	bool waits = wchan && wchan[0] && strcmp(wchan, "0") != 0;
	int err;

	fprintf(out, "task %d: %c (%s)%s%s\n", (int)tid, state ? state : '?',
		state_word(state), waits ? " in " : "", waits ? wchan : "");
	free(wchan);
	err = report_call(pid, tid, out);
	report_stack(pid, tid, out);
	return err;
}

int
inspect_report(pid_t pid, FILE *out)
{
	pid_t tids[TASKS_MAX];
	size_t n = procfs_list_tasks(pid, tids, TASKS_MAX), i;
	int err = n == 0 ? ESRCH : 0, one;

	if (n == 0)
		fprintf(out, "the process has exited\n");
	for (i = 0; i < n; i++) {
		one = report_task(pid, tids[i], out);
		err = one ? one : err;
	}
	errno = err;
	return err ? -1 : 0;
}

uint64_t
inspect_reads(pid_t pid)
{
	char *text = read_entry(pid, 0, "io");
	uint64_t n = UINT64_MAX;

	if (text)
		(void)find_number(text, "syscr: ", &n);
	free(text);
	return n;
}

uint64_t
inspect_pauses(pid_t pid)
{
	pid_t tids[TASKS_MAX];
	size_t n = procfs_list_tasks(pid, tids, TASKS_MAX), i;
	uint64_t sum = 0, asleep = 0, taken = 0;
	char *text;

	if (n == 0 || n == TASKS_MAX)
		return UINT64_MAX;
	for (i = 0; i < n; i++) {
		text = read_entry(pid, tids[i], "status");
		if (text && find_number(text, "\nvoluntary_ctxt_switches:",
				    &asleep) &&
			find_number(text, "\nnonvoluntary_ctxt_switches:",
				&taken))
			sum += asleep + taken;
		free(text);
	}
	return sum;
}
