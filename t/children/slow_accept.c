/*
 * slow_accept.c - a preloaded library that slows accept(2) down
 *
 * It lengthens two moments to some milliseconds each: after the accept of the
 * kernel, when only the kernel knows the connection; and between a close and
 * the next accept, when neither does.
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
