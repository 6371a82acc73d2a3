/*
 * status.h - asks the daemon of a world by fcgipmctl status
 */
#ifndef FCGIPM_T_STATUS_H
#define FCGIPM_T_STATUS_H

#include "world.h"

/* The beginning of a pool's section, for world_start(). */
#define POOL(name) "[" name "]\nlisten = @DIR@/" name ".sock\n"
/* Keys of a pool with one worker, which is inspected. */
#define ONE "pm = dynamic\npm.max_children = 1\n"

/* Runs fcgipmctl status with this option and pool, which may be NULL; asserts
 * the exit status.  Returns its output, which is freed at the end of the
 * test. */
char *status_ask(struct world *w, const char *option, const char *pool,
	int want);

/* Returns the number at path in the object of a pool.  A path is "a.b.c"; a
 * number in it is the index of an array. */
int64_t status_number(struct world *w, const char *pool, const char *path);
/* Waits until the value at path is want: ">0", or the value as text. */
void status_expect(struct world *w, const char *pool, const char *path,
	const char *want);
/* The same, and asserts that it stays for longer than the pause between two
 * inspections. */
void status_expect_stays(struct world *w, const char *pool, const char *path,
	const char *want);

#endif
