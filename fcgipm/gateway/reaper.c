/*
 * reaper.c - table of running programs by PID; see reaper.h
 *
 * Owned by gateway/server, which calls it on SIGCHLD; gateway/request_run adds
 * programs.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/util.h"
#include "gateway/reaper.h"
#include "gateway/script.h"

void
reaper_init(struct reaper *rp)
{
	*rp = (struct reaper){.is_init = getpid() == 1};
}

static struct reaper_bucket *
bucket_of(struct reaper *rp, pid_t pid)
{
	return &rp->bucket[(unsigned)pid % REAPER_BUCKETS];
}

static struct script *
find_script(struct reaper *rp, pid_t pid)
{
	struct script *s;

	LIST_FOREACH(s, bucket_of(rp, pid), link)
		if (s->pid == pid)
			break;
	return s;
}

void
reaper_add(struct reaper *rp, struct script *s)
{
	if (s->pid <= 0 || find_script(rp, s->pid))
		BUG("a program that is not running or was added before");
	LIST_INSERT_HEAD(bucket_of(rp, s->pid), s, link);
	rp->running++;
}

void
reaper_run(struct reaper *rp)
{
	struct script *s;
	siginfo_t si;
	int peek;

	/* One signal may stand for many exits.  An orphan, which becomes our
	 * child when we are PID 1, is only reaped. */
	do {
		peek = script_any_stops() ? WNOWAIT : 0;
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | peek) < 0 ||
			si.si_pid == 0)
			return;
		s = find_script(rp, si.si_pid);
		if (peek && s)
			script_kill_group(s);
		if (peek && waitid(P_PID, (id_t)si.si_pid, &si,
				    WEXITED | WNOHANG) < 0)
			return;
		if (!s)
			continue;
		LIST_REMOVE(s, link);
		rp->running--;
		script_on_reaped(s, si.si_code, si.si_status);
	} while (rp->running > 0 || rp->is_init);
}

void
reaper_kill_all(struct reaper *rp)
{
	struct script *s;
	size_t i;

	for (i = 0; i < REAPER_BUCKETS; i++)
		LIST_FOREACH(s, &rp->bucket[i], link)
			script_signal(s, SIGKILL);
}
