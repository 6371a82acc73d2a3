/*
 * conn.h - data structures of the shim: a process and its connections
 */
#ifndef FCGIPM_SHIM_CONN_H
#define FCGIPM_SHIM_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fcgipm-board.h"
#include "records.h"

#pragma GCC visibility push(hidden)

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define FDS_MAX 4096
#define CONNS_MAX 256
#define WORD_BITS 64

struct conn {
	struct fcgipm_cell *cell;	/* NULL = the slot has no free cell */
	int32_t cell_index;
	bool touched;		/* a read or write was seen */
	bool answered;		/* the last request is answered */
	bool eof;		/* the client has shut down its side */
	uint8_t linger;		/* see linger.h */
	uint32_t running;	/* requests begun and not ended */
	uint64_t start;
	uint64_t bytes_in, bytes_out;	/* not yet added to the slot */
	struct records out;
	struct intake in;	/* last: conn_begin() clears a part only */
};

/* Private to the process.  The kernel clears it in a forked child
 * (MADV_WIPEONFORK), which therefore follows nothing until it accepts. */
struct local {
	uint32_t attach;
	int32_t pid;
	struct fcgipm_slot *slot;
	uint32_t refused;	/* accept() calls since the stop flag */
	uint32_t lingers;	/* see linger.h */
	int32_t finishing;	/* threads whose connection is closed, and that
				 * have not called accept() again */
	uint64_t cells_used;
	uint64_t conns_used[CONNS_MAX / WORD_BITS];
	uint16_t conn_at[FDS_MAX];	/* by descriptor: index in conns + 1 */
	struct conn conns[CONNS_MAX];
};

extern struct local *local;	/* NULL = there is no board */
extern struct fcgipm_view view;

static inline struct conn *
conn_of(int fd)
{
	uint16_t n;

	if (!local || (unsigned)fd >= FDS_MAX)
		return NULL;
	n = __atomic_load_n(&local->conn_at[fd], __ATOMIC_ACQUIRE);
	return n ? &local->conns[n - 1] : NULL;
}

#pragma GCC visibility pop

#endif
