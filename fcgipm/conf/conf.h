/*
 * conf.h - the configuration: one table of keys, and what it fills
 *
 * The parser, -t, -tt, "did you mean" and the test of fcgipm.ini(5) all read
 * the same table (conf_table).  A checked struct conf needs no further checks.
 */
#ifndef FCGIPM_CONF_CONF_H
#define FCGIPM_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/log.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/usr/local/etc"
#endif
/* Where `make install` puts it. */
#define CONF_INSTALLED SYSCONFDIR "/fcgipm.ini"

enum conf_mode { CONF_MODE_PREFORK, CONF_MODE_CGI };
enum conf_pm { CONF_PM_STATIC, CONF_PM_DYNAMIC, CONF_PM_ONDEMAND };
enum conf_observe { CONF_OBSERVE_AUTO, CONF_OBSERVE_KERNEL };
enum conf_on_abort { CONF_ABORT_KILL, CONF_ABORT_FINISH };
enum conf_nph { CONF_NPH_NO, CONF_NPH_NAME, CONF_NPH_YES };

struct conf_list {
	char **v;		/* n strings and a NULL; NULL when empty */
	size_t n;
};

/* A resource limit; unset leaves the system's. */
struct conf_limit {
	bool set;
	uint64_t value;		/* CONF_UNLIMITED = RLIM_INFINITY */
};

#define CONF_UNLIMITED UINT64_MAX

/* Where a value was written: "file:line", or "option". */
struct conf_origin {
	const char *file;	/* NULL = the default holds; borrowed */
	unsigned line;
};

#define CONF_KEYS_MAX 64

/* Addresses of a pool: a worker is handed no more sockets. */
#define CONF_LISTEN_MAX 14

struct conf_pair {
	char *name;
	char *value;
	struct conf_origin where;
};

/* What a key like env[NAME] sets, each name once. */
struct conf_map {
	struct conf_pair *v;
	size_t n;
};

struct conf_pool {
	char *name;
	struct conf_origin where;	/* its section header */
	struct conf_origin origins[CONF_KEYS_MAX];	/* by row of table */
	char *texts[CONF_KEYS_MAX];	/* values as written, expanded */

	unsigned mode;			/* enum conf_mode */
	struct addr *listen;		/* nlisten of them */
	size_t nlisten;
	unsigned listen_backlog;	/* connections */
	unsigned listen_mode;		/* of a unix socket */
	char *listen_owner, *listen_group;	/* NULL = the pool's */
	char *listen_allowed_clients;	/* list for cidr_next(); NULL = all */
	char *handler;			/* absolute path; NULL = none */
	struct conf_list handler_args;
	char *docroot;			/* absolute path; NULL = none */
	char *user, *group;		/* NULL = ours */
	char *chroot, *chdir;		/* absolute paths; NULL = none */
	unsigned umask;
	int process_priority;		/* nice value */
	struct conf_map env;
	struct conf_limit rlimit_files, rlimit_core, rlimit_as, rlimit_nproc,
		rlimit_cpu, rlimit_fsize;
	bool no_new_privs;
	bool clear_env;
	bool cgi_split_path;
	unsigned pm;			/* enum conf_pm */
	unsigned max_children;		/* workers; cgi: programs at once */
	/* dynamic: 1 <= min_spare <= start <= max_spare <= max_children */
	unsigned start_servers, min_spare_servers, max_spare_servers;
	unsigned max_spawn_rate;	/* workers a second, at most */
	int64_t process_idle_timeout_ms;	/* ondemand */
	unsigned max_requests;		/* of a worker; 0 = any number */
	int64_t max_age_ms;		/* of a worker; 0 = any */
	uint64_t max_memory_bytes;	/* of a worker; 0 = any */
	unsigned max_retiring;		/* worn workers going at once */
	unsigned observe;		/* enum conf_observe */
	bool accelerate;		/* only where it has an effect */
	unsigned threads;		/* of each worker */
	int64_t queue_timeout_ms;	/* 0 = for ever */
	int64_t request_terminate_timeout_ms;	/* 0 = never */
	int64_t request_slowlog_timeout_ms;	/* 0 = never */
	char *slowlog;			/* absolute path; NULL = none */
	int64_t stop_timeout_ms;
	unsigned stop_signal;
	uint64_t cgi_max_body_bytes;	/* 0 = no limit */
	uint64_t cgi_max_header_bytes;
	int64_t cgi_idle_timeout_ms;	/* 0 = never */
	int64_t cgi_client_timeout_ms;	/* 0 = never */
	int64_t cgi_linger_ms;
	unsigned cgi_on_abort;		/* enum conf_on_abort */
	unsigned cgi_nph;		/* enum conf_nph */
	char *cgi_allow_env;		/* names, blanks between; NULL */
	char *cgi_index;		/* names, blanks between; NULL */
	char *cgi_extensions;		/* the same, dots in front or not */
	char *cgi_interpreter;		/* absolute path; NULL = none */
	struct conf_map cgi_interpreters;	/* by extension, no dot */
};

struct conf {
	struct conf_origin origins[CONF_KEYS_MAX];
	char *texts[CONF_KEYS_MAX];

	char *pid;			/* absolute path; NULL = none */
	char *log;			/* "stderr", "syslog" or a path */
	unsigned log_level;		/* enum log_level */
	unsigned log_format;		/* enum log_format */
	char *control;			/* a path or "none"; NULL = the default
					 * place, see conf_control_place() */
	unsigned control_mode;
	char *control_owner, *control_group;	/* NULL = ours */
	unsigned process_max;		/* workers of all pools; 0 = any */

	struct conf_pool *pools;
	size_t npools;
	char **files;			/* names that origins borrow */
	size_t nfiles;
};

/* What is wrong, collected: all of a file's errors in one run. */
struct conf_problem {
	bool warning;
	char *text;		/* "file:line: [pool www] key: what to write" */
};

struct conf_problems {
	struct conf_problem *v;
	size_t n;
	size_t nerrors;		/* of them not warnings */
};

void conf_problems_print(const struct conf_problems *ps, FILE *out);
void conf_problems_free(struct conf_problems *ps);

/*
 * conf_load - read and check a file and what it includes
 *
 * returns	0; -1 when ps holds an error.  *ret_conf is to be given to
 *		conf_free() in both cases
 */
int conf_load(const char *path, struct conf *ret_conf,
	struct conf_problems *ps);
void conf_free(struct conf *c);

/* An empty configuration with the defaults, to be filled by options. */
void conf_init(struct conf *c);
/* Adds a pool with the defaults; the pointer holds until the next one. */
struct conf_pool *conf_add_pool(struct conf *c, const char *name);
/*
 * conf_pool_set - one key, as a line of the file would
 *
 * returns	0; -1 and an error in ps: "[pool www] key: what to write"
 */
int conf_pool_set(struct conf *c, struct conf_pool *p, const char *key,
	const char *value, struct conf_problems *ps);
/* The same for a key of [fcgipm]. */
int conf_set(struct conf *c, const char *key, const char *value,
	struct conf_problems *ps);
/* Keys against each other and against the system; after all are set. */
int conf_check(struct conf *c, struct conf_problems *ps);
/* The part of it that concerns the gateway run by hand: no listen key. */
int conf_check_gateway(struct conf *c, struct conf_problems *ps);

/*
 * conf_control_place - where the control socket is when nothing was written
 *
 * systemd's $RUNTIME_DIRECTORY, /run/fcgipm for root, else the folder fcgipm
 * in $XDG_RUNTIME_DIR.
 *
 * returns	a path, the caller's to free(); NULL = this user has no place
 */
char *conf_control_place(void);

/* The configuration in force, as a file that reads back equal; -tt. */
void conf_dump(const struct conf *c, FILE *out);

/* One key, as the manual page documents it. */
struct conf_key {
	const char *name;
	const char *type;
	const char *dflt;
	const char *help;	/* one line */
	bool gateway;		/* fcgipm-cgi takes it by -o */
	bool refuser;		/* and fcgipm-cgi --refuse gets it */
};

/* The i-th key of a pool, or of [fcgipm]; NULL behind the last. */
const struct conf_key *conf_pool_key(size_t i);
const struct conf_key *conf_global_key(size_t i);

/*
 * conf_pool_text - the value of the i-th key as written, expanded
 *
 * returns	NULL when the default holds; always for a key with brackets
 */
const char *conf_pool_text(const struct conf_pool *p, size_t i);

#endif
