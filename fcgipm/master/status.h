/*
 * status.h - builds the JSON answer of "status" from pool/snapshot
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
	int64_t start_ms;	/* when the supervisor started */
};

/*
 * status_answer - add one object: "version", "pid" and so on, and "pools"
 *
 * Each pool has the fields of its snapshot, and an array "processes" with the
 * fields of each worker.
 *
 * pool		name of the only pool to report, NULL = all
 * returns	false, and adds nothing, when there is no such pool
 */
bool status_answer(const struct status_view *v, const char *pool,
	struct emit *e);

#endif
