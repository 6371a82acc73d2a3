/*
 * slow_accept.c - a preload library: accept(2) takes its time
 *
 * The two moments in which a worker's connection is known to the kernel alone,
 * or to nobody at all, last some milliseconds each: behind the kernel's
 * accept, and between a close and the next accept.
 */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>

#define PAUSE_NS 4000000

static void
dawdle(void)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int saved = errno;

	(void)nanosleep(&pause, NULL);
	errno = saved;
}

int
accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
	int (*next)(int, struct sockaddr *, socklen_t *, int);
	int got;

	*(void **)&next = dlsym(RTLD_NEXT, "accept4");
	dawdle();
	got = next(fd, sa, len, flags);
	dawdle();
	return got;
}

int
accept(int fd, struct sockaddr *sa, socklen_t *len)
{
	int (*next)(int, struct sockaddr *, socklen_t *);
	int got;

	*(void **)&next = dlsym(RTLD_NEXT, "accept");
	dawdle();
	got = next(fd, sa, len);
	dawdle();
	return got;
}
