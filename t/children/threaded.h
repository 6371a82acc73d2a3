/*
 * threaded.h - a FastCGI program that serves with this number of threads
 *
 *	NAME [THREADS]
 */
#ifndef FCGIPM_T_THREADED_H
#define FCGIPM_T_THREADED_H

#include <fcgiapp.h>
#include <pthread.h>
#include <stdlib.h>

struct threaded {
	void (*serve)(FCGX_Request *r);
	pthread_mutex_t *turn;
};

static inline void *
threaded_work(void *arg)
{
	const struct threaded *t = arg;
	FCGX_Request r;
	int got;

	if (FCGX_InitRequest(&r, 0, 0) != 0)
		return NULL;
	for (;;) {
		if (t->turn)
			pthread_mutex_lock(t->turn);
		got = FCGX_Accept_r(&r);
		if (t->turn)
			pthread_mutex_unlock(t->turn);
		if (got < 0)
			return NULL;
		t->serve(&r);
		FCGX_Finish_r(&r);
	}
}

/*
 * threaded_main - the main() of such a program
 *
 * serve	answers one request; finishing it is done here
 * turn		a lock with which one thread at a time is in accept(2), as
 *		libfcgi requires if accept may not be shared; NULL = all free
 *		threads accept
 */
static inline int
threaded_main(int argc, char **argv, void (*serve)(FCGX_Request *r),
	pthread_mutex_t *turn)
{
	static struct threaded t;
	long n = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	pthread_t id;

	t = (struct threaded){serve, turn};
	if (FCGX_Init() != 0)
		return 1;
	while (--n > 0)
		if (pthread_create(&id, NULL, threaded_work, &t) != 0)
			return 1;
	threaded_work(&t);
	return 0;
}

#endif
