/*
 * leaks.h - finds descriptors and memory that the daemon does not free
 *
 * world.c calls leaks_begin() when the daemon is ready, and leaks_check() when
 * it stops.
 */
#ifndef FCGIPM_T_LEAKS_H
#define FCGIPM_T_LEAKS_H

#include "world.h"

/* Remembers the descriptors of the daemon, and the descriptors and memory of
 * its gateways. */
void leaks_begin(struct world *w);

/*
 * leaks_check - assert, before the stop, that nothing has accumulated
 *
 * The daemon and its gateways have no more descriptors than at first.  A
 * gateway has at most 8 MiB more memory.  A prober and a refuser have few
 * descriptors.  The processes get up to 20 s to reach this.
 */
void leaks_check(struct world *w);

/* Asserts that the log contains no report of a sanitizer, no BUG(), and no
 * death unless the test expects deaths. */
void leaks_check_log(struct world *w);

#endif
