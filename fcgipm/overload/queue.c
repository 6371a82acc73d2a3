/*
 * queue.c - since when has each client waited?  See queue.h
 *
 * Called by overload/overload at each of its looks.  A queue keeps its order, so
 * two lists of it are compared in one walk.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "overload/queue.h"

/* Where he stands, from place i on; w->n when he is new. */
static size_t
find(const struct queue *w, size_t i, uint32_t ino)
{
	while (i < w->n && w->v[i].ino != ino)
		i++;
	return i;
}

void
queue_note(struct queue *w, const uint32_t *inos, size_t n, int64_t now_ms)
{
	struct queue_client *v = n ? mem_calloc(n, sizeof(*v)) : NULL;
	size_t i, at = 0;

	for (i = 0; i < n; i++) {
		v[i].ino = inos[i];
		if (inos[i] == 0)
			continue;
		/* Behind one who is new nobody is known. */
		at = find(w, at, inos[i]);
		v[i].since_ms = at < w->n ? w->v[at++].since_ms : now_ms;
	}
	free(w->v);
	w->v = v;
	w->n = n;
}

size_t
queue_overdue(const struct queue *w, int64_t since_ms)
{
	size_t n = w->n;

	while (n > 0 && (w->v[n - 1].ino == 0 ||
				w->v[n - 1].since_ms > since_ms))
		n--;
	return n;
}

int64_t
queue_oldest(const struct queue *w)
{
	size_t i;

	for (i = 0; i < w->n; i++)
		if (w->v[i].ino != 0)
			return w->v[i].since_ms;
	return 0;
}

void
queue_fini(struct queue *w)
{
	free(w->v);
	*w = (struct queue){0};
}
