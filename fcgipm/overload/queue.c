/*
 * queue.c - estimates how long each client has waited; see queue.h
 *
 * Called by overload/overload at each sample.  A queue keeps its order, so two
 * samples are compared in one pass.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "overload/queue.h"

/* The index of a client, from i on; q->n when it is new. */
static size_t
find(const struct queue *q, size_t i, uint32_t ino)
{
	while (i < q->n && q->v[i].ino != ino)
		i++;
	return i;
}

void
queue_update(struct queue *q, const uint32_t *inos, size_t n, int64_t now_ms)
{
	struct queue_client *v = n ? mem_calloc(n, sizeof(*v)) : NULL;
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		v[i].ino = inos[i];
		if (inos[i] == 0)
			continue;
		/* All clients after a new one are new: at stays q->n. */
		at = find(q, at, inos[i]);
		v[i].since_ms = at < q->n ? q->v[at++].since_ms : now_ms;
	}
	free(q->v);
	q->v = v;
	q->n = n;
}

size_t
queue_overdue(const struct queue *q, int64_t since_ms)
{
	size_t n = q->n;

	while (n > 0 && (q->v[n - 1].ino == 0 ||
				q->v[n - 1].since_ms > since_ms))
		n--;
	return n;
}

int64_t
queue_oldest(const struct queue *q)
{
	size_t i;

	for (i = 0; i < q->n; i++)
		if (q->v[i].ino != 0)
			return q->v[i].since_ms;
	return 0;
}

void
queue_fini(struct queue *q)
{
	free(q->v);
	*q = (struct queue){0};
}
