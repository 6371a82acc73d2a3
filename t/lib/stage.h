/*
 * stage.h - one program as a worker, and an observer that knows nothing of it
 *
 * Without the daemon.  As root the worker runs as nobody.
 */
#ifndef FCGIPM_T_STAGE_H
#define FCGIPM_T_STAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "observe/kernel.h"
#include "world.h"

#define NOBODY 65534
/* How its worker waits for a connection. */
enum way { ACCEPTS, POLLS };

struct stage {
	struct world *world;
	enum way way;
	struct addr addr;
	char address[64];		/* for the client */
	int fd;				/* the listener */
	pid_t pid;
	struct sockdiag diag;
	struct kernel_observer observe;
	struct kernel_worker worker;
	int client;			/* of a race */
};

/* A world, its listener and an observer.  address: "name" in the directory,
 * "@", or "127.0.0.1:", "[::1]:", which a number follows. */
void stage_open(struct stage *s, const char *address);
void stage_close(struct stage *s);

/* A copy of a program of t/children in our directory, since the user nobody
 * may not read everywhere; the caller's to free(). */
char *stage_copy_child(struct world *w, const char *name, int mode);
/* Skips the test when it is not there. */
void stage_need_file(const char *path, const char *package);

/* Starts a worker; of t/children with up to two arguments, which end at a
 * NULL. */
void stage_start(struct stage *s, char *const *argv);
void stage_start_child(struct stage *s, const char *name, const char *arg1,
	const char *arg2);
void stage_end_worker(struct stage *s);

/* kernel_inspect(), and its result for a test that fails. */
const struct kernel_sample *stage_look(struct stage *s);
const char *stage_describe(const struct stage *s);

/* Waits until check(s), 20 s. */
void stage_until(struct stage *s, bool (*check)(void *), const char *what);
/* Checks: a struct stage as their argument. */
bool stage_is_idle(void *arg);
bool stage_is_busy(void *arg);
bool stage_is_unknown(void *arg);

/* A request whose body is not whole yet, and the rest of it. */
int stage_begin_request(struct stage *s, int flags);
void stage_finish_request(int c);

#endif
