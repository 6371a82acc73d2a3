/*
 * snapshot.h - fills one struct with the state of a pool and its workers for
 * the status
 *
 * A table names the fields of the struct, so that every form of the status has
 * the same fields with the same names in the same order.  A field that the
 * status of PHP-FPM has too has its name and unit.
 */
#ifndef FCGIPM_POOL_SNAPSHOT_H
#define FCGIPM_POOL_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "pool/retire.h"
#include "shim/fcgipm-board.h"

struct pool;

/* The value of a number that is not known. */
#define SNAPSHOT_UNKNOWN (-1)

/* Times are seconds since 1970 and durations ("since") are seconds, unless the
 * name of the field ends in another unit. */
struct snapshot_worker {
	int64_t pid;
	const char *state;	/* Starting, Idle, Reading, Running, Kept,
				 * Finishing, Retiring, Unknown */
	char reason[128];	/* details of the state; "" = none */
	int64_t start_time, start_since;
	int64_t since_ms;	/* in this state for at least so long */
	int64_t requests;	/* answered */
	int64_t connections;	/* open ones */
	int64_t duration_us;	/* of the current request, or of the last */
	/* Of that request; bytes of its client, NUL at the end. */
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
	int64_t bytes_in, bytes_out;
	const char *tier;	/* where the facts come from: shim, handler,
				 * kernel or none */
	const char *tier_reason;	/* why not from the shim; NULL = they
					 * do */
};

struct snapshot {
	const char *pool, *mode, *pm, *listen;	/* the pool's */
	int64_t start_time, start_since;
	int64_t accepted;	/* connections */
	int64_t requests;
	int64_t queue, max_queue, queue_len;	/* now, maximum, limit */
	int64_t up, idle, active, unknown;	/* up = all others */
	int64_t starting, retiring, total;
	int64_t max_active;	/* maximum since the start */
	int64_t max_children, max_children_reached;
	int64_t slow_requests;
	int64_t kept;		/* workers with an idle keep-alive connection */
	int64_t starved;	/* times that clients waited because of these */
	int64_t refused;	/* connections answered 503 (queue_timeout) */
	int64_t refusing;	/* 1 while clients are refused */
	uint64_t ended[RETIRE_CAUSES];	/* workers, by cause */
	int64_t bad_starts;	/* in a row */
	int64_t next_start_ms;	/* until the back-off ends; 0 = no back-off */
	const char *failure;	/* of the last bad start; NULL = none yet */
	struct snapshot_worker *workers;	/* nworkers of them */
	size_t nworkers;
};

/*
 * snapshot_take - fills in the state of a pool now
 *
 * Inspects every worker that does not report on the board.  The texts are
 * borrowed from the pool: use them before the pool changes.
 */
void snapshot_take(struct pool *p, struct snapshot *ret);
void snapshot_fini(struct snapshot *s);

enum snapshot_type {
	SNAPSHOT_NUMBER,	/* int64_t, or SNAPSHOT_UNKNOWN */
	SNAPSHOT_WORD,		/* const char *, or NULL */
	SNAPSHOT_TEXT,		/* char[] with a NUL, "" = none; any bytes */
	SNAPSHOT_CAUSES		/* uint64_t[RETIRE_CAUSES] */
};

struct snapshot_field {
	const char *name;
	enum snapshot_type type;
	size_t offset;
};

/* The fields of struct snapshot, and of struct snapshot_worker. */
const struct snapshot_field *snapshot_pool_fields(size_t *ret_n);
const struct snapshot_field *snapshot_worker_fields(size_t *ret_n);

#endif
