/*
 * snapshot.h - what is known of a pool and its workers, at one moment
 *
 * One struct, filled once and shown in any form; a table names its fields, so
 * that all forms have the same ones under the same names, in the same order.
 * Where PHP-FPM's status has a figure, it has PHP-FPM's name and unit.
 */
#ifndef FCGIPM_POOL_SNAPSHOT_H
#define FCGIPM_POOL_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "pool/retire.h"
#include "shim/fcgipm-board.h"

struct pool;

/* A number that nobody knows. */
#define SNAPSHOT_UNKNOWN (-1)

/* Times are seconds since 1970, "since" is seconds until now, unless the
 * name of the field says another unit. */
struct snapshot_worker {
	int64_t pid;
	const char *state;	/* Starting, Idle, Reading, Running, Kept,
				 * Finishing, Retiring, Unknown */
	char reason[128];	/* of that, where it says more; else "" */
	int64_t start_time, start_since;
	int64_t since_ms;	/* so long in this state, at least */
	int64_t requests;	/* answered */
	int64_t connections;	/* open ones */
	int64_t duration_us;	/* of the request that runs, or of the last */
	/* Of that request; bytes of its client, NUL at the end. */
	char method[FCGIPM_METHOD_BYTES];
	char uri[FCGIPM_URI_BYTES];
	int64_t bytes_in, bytes_out;
	const char *tier;	/* who knows it: shim, handler, kernel or
				 * none */
	const char *tier_reason;	/* why not shim; NULL = it is */
};

struct snapshot {
	const char *pool, *mode, *pm, *listen;	/* the pool's */
	int64_t start_time, start_since;
	int64_t accepted;	/* connections */
	int64_t requests;
	int64_t queue, max_queue, queue_len;	/* now, ever seen, limit */
	int64_t up, idle, active, unknown;	/* the others are of these */
	int64_t starting, retiring, total;
	int64_t max_active;	/* ever seen */
	int64_t max_children, max_children_reached;
	int64_t slow_requests;
	int64_t kept;		/* workers held by kept connections at rest */
	int64_t starved;	/* times that clients waited for these */
	int64_t refused;	/* connections, with 503 for queue_timeout */
	int64_t refusing;	/* 1 while that goes on */
	uint64_t ended[RETIRE_CAUSES];	/* workers */
	int64_t bad_starts;	/* in a row */
	int64_t next_start_ms;	/* until the next try; 0 = none is waited for */
	const char *failure;	/* of the last bad start; NULL = none yet */
	struct snapshot_worker *workers;	/* nworkers of them */
	size_t nworkers;
};

/*
 * snapshot_take - inspects every worker that the board does not show
 *
 * Borrows texts from the pool: shown before anything else happens to it.
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
