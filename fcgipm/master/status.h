/*
 * status.h - what a supervisor tells of its pools, as JSON
 */
#ifndef FCGIPM_MASTER_STATUS_H
#define FCGIPM_MASTER_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emit;
struct pool;

struct status_view {
	struct pool *pools;	/* borrowed, npools of them */
	size_t npools;
	int64_t start_ms;	/* the supervisor's */
};

/*
 * status_answer - one object: "version", "pid" and so on, and "pools"
 *
 * A pool has the fields of its snapshot, and "processes", an array of its
 * workers'.
 *
 * pool		the only one to tell of, NULL = all
 * returns	false when there is no such pool, nothing written
 */
bool status_answer(const struct status_view *v, const char *pool,
	struct emit *e);

#endif
