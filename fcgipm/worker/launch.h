/*
 * launch.h - builds what a pool's workers are started with: command line,
 * environment, descriptors, working directory and privileges
 *
 * Built once from the configuration and used for every start; see
 * fcgipm-handler(7).
 */
#ifndef FCGIPM_WORKER_LAUNCH_H
#define FCGIPM_WORKER_LAUNCH_H

#include <stddef.h>
#include <sys/types.h>

struct board;
struct conf_pool;
struct launch;
struct listen_socket;
struct privs;
struct spawn_spec;

/*
 * launch_new - builds it from a checked configuration
 *
 * board	the scoreboard that the workers write; NULL = none
 * nofile	soft RLIMIT_NOFILE of children without rlimit_files
 * returns	NULL with the reason in ret_why
 */
struct launch *launch_new(const struct conf_pool *conf,
	const struct listen_socket *sockets, size_t nsockets,
	const struct board *board, unsigned long nofile, char *ret_why,
	size_t why_size);
/* The same for the refuser of a prefork pool: fcgipm-cgi --refuse, with the
 * pool's first socket and its user. */
struct launch *launch_new_refuser(const struct conf_pool *conf,
	const struct listen_socket *socket, unsigned long nofile,
	char *ret_why, size_t why_size);
void launch_free(struct launch **l);

/* The spec for the worker in this slot; valid until the next call. */
const struct spawn_spec *launch_spec(struct launch *l, unsigned slot);

/* The user and group that the workers run as. */
void launch_ids(const struct launch *l, uid_t *ret_uid, gid_t *ret_gid);

#endif
