/*
 * rig.h - workers with the preloaded library and a board, without the daemon
 *
 * The test acts as the supervisor, so that it can check each step.  It compares
 * the counts of the board with what the client did.
 */
#ifndef FCGIPM_T_RIG_H
#define FCGIPM_T_RIG_H

#include "observe/board.h"
#include "world.h"

struct rig {
	struct world *w;
	struct board *b;
	int listener;		/* s.sock in the directory of the world */
	char shim[600];
	pid_t pids[4];
	bool stop_first;	/* rig_spawn() sets the stop flag first */
	struct board_sample seen;	/* last sample of a check function */
	unsigned slot;		/* slot that it samples */
	uint64_t want;		/* value that it waits for */
};

/* Makes a world, a listening socket, and a board with two spare slots. */
struct rig rig_open(unsigned nslots, unsigned threads);
/* Kills the workers. */
void rig_close(struct rig *r);

/* Starts argv as the worker of a slot; extra: variables to add. */
void rig_spawn_as(struct rig *r, unsigned slot, char **argv,
	const char *preload, const char *const *extra);
/* The same for a program with one argument, or with none if arg is NULL. */
void rig_spawn(struct rig *r, unsigned slot, const char *program,
	const char *arg);
/* Waits until the worker has exited; it must not be killed, and its status must
 * be 0. */
void rig_expect_exit(struct rig *r, unsigned slot, const char *why);

/* Sets what the next check function samples and waits for; returns r. */
struct rig *rig_at(struct rig *r, unsigned slot, uint64_t want);
/* Check functions for world_until(); the argument is a struct rig. */
bool rig_is_attached(void *rig);
bool rig_has_state(void *rig);
bool rig_has_accepting(void *rig);
bool rig_has_accepted(void *rig);
bool rig_has_running(void *rig);
/* Of the whole board: idle capacity, and requests without open connections. */
bool rig_has_idle(void *rig);
bool rig_has_counted(void *rig);
/* Whether the worker of slot 0 is in accept(2). */
bool rig_is_in_accept(void *rig);
/* Returns the sums of all slots. */
struct board_sample rig_sum(const struct rig *r);

/* Parameters of a POST request with a body of five bytes, NULL at the end. */
extern const char *const rig_params[];
/* The same and SCRIPT_FILENAME of the sample PHP page. */
const char *const *rig_script_params(void);

struct rig_asked {
	uint64_t in, out;	/* bytes that the worker reads and writes */
};

/* Sends count requests, each on a connection of its own, or all on one. */
struct rig_asked rig_ask(struct rig *r, unsigned count, int flags,
	const char *const *with);
/* Reads up to END_REQUEST; returns the number of bytes. */
size_t rig_read_answer(int fd);

struct rig_program {
	const char *name;
	const char *(*path)(void);
	const char *arg;
	bool no_keep;		/* it has no keep-alive connections */
};

#define RIG_PROGRAMS 10
/* The first four are the FastCGI libraries of different languages. */
extern const struct rig_program rig_programs[RIG_PROGRAMS];
/* Paths of some of them. */
const char *rig_hello(void);
const char *rig_php(void);
const char *rig_python(void);

#endif
