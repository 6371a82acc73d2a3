/*
 * stage.h - one program as a worker, and an observer of it, without the daemon
 *
 * As root, the worker runs as the user nobody.
 */
#ifndef FCGIPM_T_STAGE_H
#define FCGIPM_T_STAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "observe/kernel.h"
#include "world.h"

#define NOBODY 65534
/* How the worker waits for a connection. */
enum way { ACCEPTS, POLLS };

struct stage {
	struct world *world;
	enum way way;
	struct addr addr;
	char address[64];		/* for the client */
	int fd;				/* the listening socket */
	pid_t pid;
	struct sockdiag diag;
	struct kernel_observer observe;
	struct kernel_worker worker;
	int client;			/* the client in a test of a race */
};

/* Opens a world, a listening socket and an observer. address: "name" in the
 * directory, "@", or "127.0.0.1:" or "[::1]:", to which a port is added. */
void stage_open(struct stage *s, const char *address);
void stage_close(struct stage *s);

/* Copies a program of t/children to the directory of the test, because the user
 * nobody may not read every checkout.  The caller frees the path. */
char *stage_copy_child(struct world *w, const char *name, int mode);
/* Skips the test if the file does not exist. */
void stage_need_file(const char *path, const char *package);

/* Starts a worker, or a program of t/children with up to two arguments that end
 * with NULL. */
void stage_start(struct stage *s, char *const *argv);
void stage_start_child(struct stage *s, const char *name, const char *arg1,
	const char *arg2);
void stage_end_worker(struct stage *s);

/* stage_look() calls kernel_inspect(); stage_describe() formats its result for
 * a failed test. */
const struct kernel_sample *stage_look(struct stage *s);
const char *stage_describe(const struct stage *s);

/* Waits until check(s) is true, up to 20 s. */
void stage_until(struct stage *s, bool (*check)(void *), const char *what);
/* Checks for stage_until(); the argument is a struct stage. */
bool stage_is_idle(void *arg);
bool stage_is_busy(void *arg);
bool stage_is_unknown(void *arg);

/* Sends a request without the end of its body, and the end. */
int stage_begin_request(struct stage *s, int flags);
void stage_finish_request(int c);

#endif
