/*
 * sockets.c - distinguishes client connections from other sockets; see
 * sockets.h
 *
 * Called by observe/kernel.  Unix sockets are queried one by one.  TCP sockets
 * are listed, since finding one makes the kernel walk all of them.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/util.h"
#include "observe/sockets.h"

/* Listing all TCP sockets may take 1/OTHERS_SHARE of the time. */
#define OTHERS_SHARE 20

void
sockets_init(struct sockets *o, struct sockdiag *diag,
	const struct sockdiag_listener *listeners, size_t n)
{
	*o = (struct sockets){.diag = diag, .listeners = listeners, .n = n,
		.sets = mem_calloc(n, sizeof(*o->sets))};
}

void
sockets_fini(struct sockets *o)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		sockdiag_set_fini(&o->sets[i]);
	free(o->sets);
	*o = (struct sockets){0};
}

static enum sockets_origin
find_unix_origin(struct sockets *o, uint32_t ino)
{
	size_t i;
	int rc;

	for (i = 0; i < o->n; i++) {
		if (o->listeners[i].family != AF_UNIX)
			continue;
		rc = sockdiag_unix_accepted(o->diag, &o->listeners[i], ino);
		if (rc < 0)
			return SOCKETS_UNKNOWN;
		if (rc > 0)
			return SOCKETS_CLIENT;
	}
	return SOCKETS_FOREIGN;
}

/* Searches the last listing; SOCKETS_UNKNOWN when the socket is not in it. */
static enum sockets_origin
find_listed_tcp(const struct sockets *o, uint32_t ino)
{
	enum sockets_origin found = SOCKETS_UNKNOWN;
	size_t i;

	for (i = 0; i < o->n; i++) {
		const struct sockdiag_set *set = &o->sets[i];

		if (sockdiag_has(set->accepted, set->naccepted, ino))
			return SOCKETS_CLIENT;
		if (sockdiag_has(set->others, set->nothers, ino))
			found = SOCKETS_FOREIGN;
	}
	/* A socket that is foreign to one listening socket may be a client of
	 * another one. */
	return o->n > 1 && found == SOCKETS_FOREIGN ? SOCKETS_UNKNOWN : found;
}

static void
list_tcp(struct sockets *o, bool with_others)
{
	int64_t start = now_us();
	size_t i;

	for (i = 0; i < o->n; i++)
		if (o->listeners[i].family != AF_UNIX)
			(void)sockdiag_tcp_accepted(o->diag,
				&o->listeners[i], with_others, &o->sets[i]);
	if (with_others)
		o->others_not_before_us =
			now_us() + (now_us() - start) * (OTHERS_SHARE - 1);
}

/*
 * A socket is foreign only if the kernel has listed it with another address.  A
 * connection that was reset has no address, but its request still runs.
 *
 * listed	as for sockets_find_origin()
 */
static enum sockets_origin
find_tcp_origin(struct sockets *o, uint32_t ino, bool *listed)
{
	enum sockets_origin v = find_listed_tcp(o, ino);

	if (v == SOCKETS_UNKNOWN && !*listed) {
		list_tcp(o, false);
		*listed = true;
		v = find_listed_tcp(o, ino);
	}
	if (v == SOCKETS_UNKNOWN && now_us() >= o->others_not_before_us) {
		list_tcp(o, true);
		v = find_listed_tcp(o, ino);
	}
	return v;
}

static bool
listens_on(const struct sockets *o, bool unix_domain)
{
	size_t i;

	for (i = 0; i < o->n; i++)
		if ((o->listeners[i].family == AF_UNIX) == unix_domain)
			return true;
	return false;
}

enum sockets_origin
sockets_find_origin(struct sockets *o, enum watch_kind kind, uint32_t ino,
	bool *listed)
{
	switch (kind) {
	case WATCH_KIND_UNIX:
		return listens_on(o, true) ? find_unix_origin(o, ino) :
					     SOCKETS_FOREIGN;
	case WATCH_KIND_TCP:
		return listens_on(o, false) ? find_tcp_origin(o, ino, listed) :
					      SOCKETS_FOREIGN;
	case WATCH_KIND_OTHER:
		return SOCKETS_FOREIGN;
	case WATCH_KIND_GONE:
		break;
	}
	return SOCKETS_UNKNOWN;
}
