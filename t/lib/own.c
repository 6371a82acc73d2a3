/*
 * own.c - memory and connections that exist until the end of a test; see own.h
 *
 * A test is a process, so there is one list of each.  Another file may get the
 * number of a closed descriptor, so a socket is also identified by its inode.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"

struct owned {
	void *memory;		/* NULL = a socket */
	int fd;
	ino_t ino;
	struct owned *next;
};

static struct owned *first;
/* Some tests have clients in threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void
add(struct owned o)
{
	struct owned *new = malloc(sizeof(*new));

	cr_assert_not_null(new);
	*new = o;
	pthread_mutex_lock(&lock);
	new->next = first;
	first = new;
	pthread_mutex_unlock(&lock);
}

void *
own_memory(void *p)
{
	if (p)
		add((struct owned){.memory = p});
	return p;
}

char *
own_text(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	cr_assert_geq(n, 0);
	return own_memory(text);
}

void
own_free(void *p)
{
	struct owned **at = &first, *found;

	pthread_mutex_lock(&lock);
	while (*at && (*at)->memory != p)
		at = &(*at)->next;
	found = p ? *at : NULL;
	if (found)
		*at = found->next;
	pthread_mutex_unlock(&lock);
	if (found)
		free(p);
	free(found);
}

int
own_socket(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0)
		add((struct owned){.fd = fd, .ino = st.st_ino});
	return fd;
}

void
own_close_sockets(void)
{
	struct stat st;
	struct owned *o;

	for (o = first; o; o = o->next)
		if (!o->memory && fstat(o->fd, &st) == 0 &&
			st.st_ino == o->ino)
			close(o->fd);
}

void
own_free_all(void)
{
	struct owned *o;

	while ((o = first) != NULL) {
		first = o->next;
		free(o->memory);
		free(o);
	}
}
