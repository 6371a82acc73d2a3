/*
 * conf.h - the configuration: reads fcgipm.ini(5) into struct conf and checks
 * it
 *
 * Called by master/main, gateway/options and ctl/supervisor.  The parser, -t,
 * -tt, "did you mean" and the test of fcgipm.ini(5) all read one table of
 * keys, conf/table.  After conf_check() a struct conf needs no further checks.
 *
 * The files of this directory, lowest layer first:
 *
 *	problem	collects errors and warnings, to report them all at once
 *	row.h	struct table_row: name, type, default, scope of one key
 *	value	parses and validates one value according to its key's type
 *	table	the table of keys
 *	habits	knows key and section names of other daemons
 *	keys	finds where a key was written, and whether it applies
 *	explain	composes the message for a value that is not accepted
 *	ini	splits a file into sections, keys and values
 *	load	reads a file, or options, into struct conf
 *	check_files	checks the files and directories that keys name
 *	check	checks keys against each other and against the system
 *	dump	prints the effective configuration for -tt
 *	place	default paths
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
/* Where `make install` installs it. */
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

/* A resource limit; one that is not set stays as the system has it. */
struct conf_limit {
	bool set;
	uint64_t value;		/* CONF_UNLIMITED = RLIM_INFINITY */
};

#define CONF_UNLIMITED UINT64_MAX

/* Where a value was written: "file:line", or "option". */
struct conf_origin {
	const char *file;	/* NULL = the default applies; borrowed */
	unsigned line;
	unsigned order;		/* among the lines of all files, as read */
	bool dollar;		/* the value has $NAME, which is not replaced */
};

#define CONF_KEYS_MAX 64

/* Addresses of a pool: no more sockets are passed to a worker. */
#define CONF_LISTEN_MAX 14

struct conf_pair {
	char *name;
	char *value;
	struct conf_origin where;
};

/* What a key such as env[NAME] sets, each name once. */
struct conf_map {
	struct conf_pair *v;
	size_t n;
};

struct conf_pool {
	char *name;
	struct conf_origin where;	/* its section header */
	bool refused;		/* the header is an error: its keys are checked
				 * one by one, not against each other */
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
	char *user, *group;		/* NULL = the supervisor's */
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
	unsigned max_spawn_rate;	/* maximum number started a second */
	int64_t process_idle_timeout_ms;	/* ondemand */
	unsigned max_requests;		/* of a worker; 0 = no limit */
	int64_t max_age_ms;		/* of a worker; 0 = no limit */
	uint64_t max_memory_bytes;	/* of a worker; 0 = no limit */
	unsigned max_retiring;		/* maximum recycled at the same time */
	unsigned observe;		/* enum conf_observe */
	bool accelerate;		/* only where it has an effect */
	unsigned threads;		/* of each worker */
	int64_t queue_timeout_ms;	/* 0 = no limit */
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
					 * path, see conf_control_place() */
	unsigned control_mode;
	char *control_owner, *control_group;	/* NULL = the supervisor's */
	unsigned process_max;		/* workers of all pools; 0 = any */

	struct conf_pool *pools;
	size_t npools;
	char **files;			/* names that origins borrow */
	size_t nfiles;
	unsigned nlines;		/* read so far, of all files */
};

/* All errors and warnings of a file, in the order of its lines. */
struct conf_problem {
	bool warning;
	char *text;		/* "file:line: [www] key: what to write" */
	size_t position;	/* bytes of "file:line" in it; 0 = none */
	unsigned order;		/* of the line, see struct conf_origin */
	size_t number;		/* order in which they were added */
};

struct conf_problems {
	struct conf_problem *v;
	size_t n;
	size_t nerrors;		/* those that are not warnings */
};

/* One a line, "file:line: error: [www] key: what to write", escaped for a
 * terminal. */
void conf_problems_print(const struct conf_problems *ps, FILE *out);
/* The same, each a comment of a configuration file. */
void conf_problems_comment(const struct conf_problems *ps, FILE *out);
void conf_problems_free(struct conf_problems *ps);

/*
 * conf_load - reads and checks a file and its includes
 *
 * returns	0; -1 when ps holds an error.  The caller gives *ret_conf to
 *		conf_free() in both cases
 */
int conf_load(const char *path, struct conf *ret_conf,
	struct conf_problems *ps);
void conf_free(struct conf *c);

/* A configuration without pools, with the defaults, for options to fill. */
void conf_init(struct conf *c);
/* Adds a pool with the defaults; the pointer is valid until the next call. */
struct conf_pool *conf_add_pool(struct conf *c, const char *name);
/*
 * conf_pool_set - sets one key, as a line of a file does
 *
 * returns	0; -1 and an error in ps: "[pool www] key: what to write"
 */
int conf_pool_set(struct conf *c, struct conf_pool *p, const char *key,
	const char *value, struct conf_problems *ps);
/* The same for a key of [fcgipm]. */
int conf_set(struct conf *c, const char *key, const char *value,
	struct conf_problems *ps);
/* Checks keys against each other and against the system, after all are set. */
int conf_check(struct conf *c, struct conf_problems *ps);
/* The same for a gateway started by hand, which has no key listen. */
int conf_check_gateway(struct conf *c, struct conf_problems *ps);

/*
 * conf_problem_add - adds what a caller found wrong with a key
 *
 * p		the key's pool; NULL = a key of [fcgipm]
 * key		as written, such as env[TZ]; for a key that was not written the
 *		line of its section is reported
 */
void conf_problem_add(struct conf_problems *ps, bool warning,
	const struct conf *c, const struct conf_pool *p, const char *key,
	const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* Is the key's own line reported as an error? */
bool conf_key_has_error(const struct conf_problems *ps,
	const struct conf_pool *p, const char *key);
/* Sorts by line again, after the last conf_problem_add(). */
void conf_problems_sort(struct conf_problems *ps);

/* The user of the web server on this system, for messages: the first of
 * www-data, nginx, http and apache that exists, or www-data. */
const char *conf_web_user(void);

/*
 * conf_control_place - the default path of the control socket
 *
 * control.sock in systemd's $RUNTIME_DIRECTORY, for root in /run/fcgipm, else
 * in the directory fcgipm of $XDG_RUNTIME_DIR.
 *
 * returns	a path, the caller's to free(); NULL = this user has none
 */
char *conf_control_place(void);

/*
 * conf_dump - prints the effective configuration as a file that means the same
 *
 * A line has its origin as a comment, "key = value    ; FILE:LINE", which the
 * parser knows.  Keys that do not apply to a pool are left out.
 */
void conf_dump(const struct conf *c, FILE *out);

/* Was the key of a pool written?  Its value may have been refused. */
bool conf_pool_is_set(const struct conf_pool *p, const char *key);

/* One key, as the manual page documents it. */
struct conf_key {
	const char *name;
	const char *type;
	const char *dflt;
	bool gateway;		/* passed to fcgipm-cgi as -o KEY=VALUE */
	bool refuser;		/* passed to fcgipm-cgi --refuse as well */
};

/* The i-th key of a pool, or of [fcgipm]; NULL after the last one. */
const struct conf_key *conf_pool_key(size_t i);
const struct conf_key *conf_global_key(size_t i);

/*
 * conf_pool_text - the value of the i-th key as written, expanded
 *
 * returns	NULL when the default holds, and for every key with brackets
 */
const char *conf_pool_text(const struct conf_pool *p, size_t i);

#endif
