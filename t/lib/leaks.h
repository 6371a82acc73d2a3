/*
 * leaks.h - what a daemon and its long-lived children gather while they run
 *
 * world.c takes a base when the daemon is ready and compares at its stop.
 */
#ifndef FCGIPM_T_LEAKS_H
#define FCGIPM_T_LEAKS_H

#include "world.h"

/* The daemon is ready: remembers its descriptors, and those and the memory of
 * its gateways. */
void leaks_begin(struct world *w);

/*
 * leaks_check - asserts, before the stop, that nobody has gathered anything
 *
 * The daemon and its gateways have no more descriptors than at first, a gateway
 * at most 8 MiB more memory, a prober and a refuser few descriptors.  They get
 * up to 20 s for that.
 */
void leaks_check(struct world *w);

/* Asserts that the log tells of no fault: a sanitizer's report, a BUG(), or a
 * death unless the test expects deaths. */
void leaks_check_log(struct world *w);

#endif
