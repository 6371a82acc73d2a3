/*
 * explain.h - explains why a worker could not be started, and what to do
 */
#ifndef FCGIPM_WORKER_EXPLAIN_H
#define FCGIPM_WORKER_EXPLAIN_H

#include <stddef.h>

struct spawn_error;
struct spawn_spec;

/*
 * explain_start - describes a failed start for the log
 *
 * spec		what was started; its files are inspected now, unless another
 *		user could exchange them
 * user		the key of that name, for the text; NULL = none
 * e		the step that failed, and its errno
 * buf		"its interpreter /bin/x does not exist; install it or ..."
 */
void explain_start(const struct spawn_spec *spec, const char *user,
	const struct spawn_error *e, char *buf, size_t size);

#endif
