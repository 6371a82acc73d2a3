/*
 * world.h - a fresh directory, the real daemon in it, and a FastCGI client
 *
 * Every end-to-end test makes a world, sends requests to the daemon and closes
 * the world. world_close() asserts that no process, socket or file remains.
 */
#ifndef FCGIPM_T_WORLD_H
#define FCGIPM_T_WORLD_H

/* Headers that nearly every test needs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/util.h"
#include "own.h"

/* Record types, a flag and roles of FastCGI 1.0, section 8.  They are not taken
 * from the code under test. */
enum { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES,
	GET_VALUES_RESULT, UNKNOWN_TYPE };
enum { KEEP_CONN = 1 };
enum { RESPONDER = 1, AUTHORIZER, FILTER };

#define WORLD_GATEWAYS 16
/* How long a test waits for an expected event. */
#define WORLD_PATIENCE_MS 20000

/* A gateway of the daemon, when the daemon was ready. */
struct world_gateway {
	pid_t pid;
	size_t fds;
	long rss_kib;
};

struct world {
	char dir[256];		/* the test's directory, with sockets and
				 * files */
	char log[300];		/* the daemon's stderr */
	pid_t pid;		/* the daemon, 0 when not running */
	int port;		/* of 127.0.0.1, free when the world was made */
	char tcp[32];		/* 127.0.0.1:port */
	size_t fds;		/* the daemon's descriptors when it was ready, 0
				 * = do not compare at the stop */
	size_t sockets;		/* those that are sockets */
	struct world_gateway gateways[WORLD_GATEWAYS];
	size_t ngateways;
	bool changed;		/* compare only the sockets */
	bool deaths;		/* the log may contain deaths of workers */
	struct world *next;	/* another world of this test */
	pid_t guard;		/* a process that cleans up after a failed
				 * test */
	int guardfd;		/* wakes the guard: closed when the test ends */
};

/* An answer as received; its memory is freed at the end of the test. */
struct answer {
	char *out;		/* FCGI_STDOUT, with a NUL after it */
	size_t out_len;
	char *err;		/* FCGI_STDERR */
	size_t err_len;
	bool ended;		/* FCGI_END_REQUEST was received */
	uint32_t app_status;
	uint8_t protocol_status;
	bool end_with_output;	/* END came in the same read as the rest */
	double seconds;		/* from connect to the end */
};

/* One record as received. */
struct record {
	int type, id;
	size_t len;
	uint8_t content[65535 + 1];	/* with a NUL after it */
};

/* Skips the test unless it runs as root, or as another user. */
void world_need_root(void);
void world_need_user(void);
/* Skips the test if the kernel does not allow a filter on a socket. */
void world_need_filter(void);

/* The numeric user of pools without the key user; NULL = the user of the
 * test. */
const char *world_pool_user(void);
/* Returns whether root may not inspect processes of other users. */
bool world_is_blind(void);

/* Paths of programs of the build, and of scripts in the sources, by name.  A
 * name that begins with / is returned by world_program() unchanged. */
char *world_program(const char *name);
char *world_handler(const char *name);
char *world_child(const char *name);

struct world *world_open(void);
/* Makes a world with the daemon and a pool www at www.sock with these keys. */
struct world *world_serve(const char *keys);
/* Builds a Go source of t/children; returns the path, valid until the end of
 * the test.  Skips the test if Go is not installed. */
const char *world_go(struct world *w, const char *source);
/* Returns a path in the directory of the world. */
char *world_path(const struct world *w, const char *name);
/* Writes a file to the directory; @DIR@, @BIN@, @T@ and @PORT@ in text are
 * replaced. */
const char *world_write(const struct world *w, const char *name,
	const char *text);
/* The same for an executable file. */
const char *world_script(const struct world *w, const char *name,
	const char *text);

/* Starts fcgipm -c with this configuration and waits until it is ready.  If
 * FCGIPM_POOL_USER is set, every pool without a user runs as that user. */
void world_start(struct world *w, const char *ini);
/* The same with a pool www at www.sock with these keys; further pools may
 * follow in keys. */
void world_start_www(struct world *w, const char *keys);
/* The same without waiting. */
void world_launch(struct world *w, const char *ini);
/* The same with any command line; argv[0] is the name of a program. */
void world_launch_argv(struct world *w, const char *const *argv);
/* The same while a system call fails, see t/children/deny.c. */
void world_start_without(struct world *w, const char *call, const char *err,
	const char *ini);
/* Starts the daemon with a cgi pool www at www.sock. program is the key that
 * says what to run; keys are further keys. */
void world_start_cgi(struct world *w, const char *program, const char *keys);
/* Makes a world with a cgi pool that runs this script for every request. */
struct world *world_start_script(const char *script, const char *keys);
/* Starts the daemon with this configuration and waits until it exits; returns
 * the exit status. */
int world_refused(struct world *w, const char *ini);
/* Waits for a text in the log; fails the test after 10 s. */
void world_expect_log(struct world *w, const char *text);
/* Waits until the text is in the log that many times. */
void world_expect_lines(struct world *w, const char *text, size_t times);
bool world_log_has(struct world *w, const char *text);
/* Returns how often text is in the log. */
size_t world_log_count(struct world *w, const char *text);
/* Returns the current log; it is freed at the end of the test. */
char *world_log(struct world *w);

/*
 * world_run - run a program of the build until it exits
 *
 * argv		argv[0] is "fcgipm", "fcgipm-cgi" or "fcgipmctl"
 * ret_out	stdout and stderr together; freed at the end of the test
 * returns	exit status, or 128 and the signal
 */
int world_run(struct world *w, const char *const *argv, char **ret_out);

/* Allows messages about deaths of workers in the log. */
void world_expect_deaths(struct world *w);

/* Holds races of later supervisors open, see t/children/races.c:
 * "stop=4,bind=200". */
void world_hold_races(const char *races);

/* Runs sh(1) with this text in the directory, with @NAME@ replaced; asserts
 * exit status 0. */
void world_shell(struct world *w, const char *text);

/* Sends TERM, and asserts exit status 0. */
void world_stop(struct world *w);
/* The same while clients are connected: does not compare descriptors. */
void world_stop_busy(struct world *w);
/* Sends a signal to the daemon. */
void world_signal(struct world *w, int signo);
/* Waits until the daemon exits; returns exit status, or 128 and the signal. */
int world_wait(struct world *w);
/*
 * Calls the body of every test.  After it, closes connections of clients that
 * are still open, then the test's worlds as world_close() does, then frees the
 * memory of answers and logs.  A .fini of Criterion cannot do this: what fails
 * there does not fail the test (2.4.1).
 */
#define criterion_internal_test_main world_test_main
void world_test_main(void (*body)(void));
/* Stops the daemon, asserts that no process, socket or file remains, and
 * removes the directory. */
void world_close(struct world **w);
/* The same, but compares only sockets of the daemon's descriptors: the number
 * of workers may have changed, or workers are inspected. */
void world_close_changed(struct world **w);

/* The pause between two checks of a condition. */
void world_breathe(void);
/* Waits until check is true; fails the test with the text what. */
void world_until(bool (*check)(void *), void *arg, const char *what);
/* Fails the test as soon as check is false.  Checks for longer than the pause
 * between two inspections of a pool. */
void world_stays(bool (*check)(void *), void *arg, const char *what);
/* Waits until the process with this PID is gone (zombies count as gone). */
void world_until_gone(pid_t pid);
bool world_alive(pid_t pid);
/* Returns whether the file exists.  For world_until(). */
bool world_exists(void *path);
/* Waits for the file, and returns the number in it. */
pid_t world_read_pid(const char *path);
/* Finds the children of a process: returns their number, stores the first
 * max. */
size_t world_children(pid_t parent, pid_t *ret, size_t max);
/* The same, including probers. */
size_t world_all_children(pid_t parent, pid_t *ret, size_t max);
/* Returns whether the process is a prober, which inspects workers for the
 * supervisor. */
bool world_is_prober(pid_t pid);
/* Returns the number of probers of the daemon; world_children() does not count
 * them. */
size_t world_probers(pid_t daemon);
/* Waits until the number of workers is in this range. */
void world_expect_workers(const struct world *w, size_t least, size_t most,
	const char *what);
/* The same, and asserts that the daemon keeps them for longer than the pause
 * between two inspections of a pool. */
void world_keeps_workers(const struct world *w, size_t n, const char *what);

/* Returns the number of open descriptors of a process. */
size_t world_fd_count(pid_t pid);
/* Returns the value of a line of /proc/PID/status, valid until the next call;
 * "" if there is none. */
const char *world_proc_status(pid_t pid, const char *key);
/* Returns what look() returns for a worker.  Calls it as the user of the pools,
 * because the test may lack the right. */
long world_look(long (*look)(pid_t pid), pid_t pid);
/* Returns the system call that the process or task sleeps in ("PID" or
 * "PID/task/TID"); -1 if it runs or cannot be read. */
long world_call_of_task(const char *task);
/* The same of a process, for world_look(). */
long world_call_of(pid_t pid);
/* Returns how often a process went to sleep, which is how often it was
 * woken. */
long world_sleeps(pid_t pid);
/* Milliseconds of CLOCK_MONOTONIC. */
int64_t world_now_ms(void);

/* Connects to "name" in the directory, @name, or host:port; fails the test on
 * error. */
int client_connect(const struct world *w, const char *address);
/* The same, but returns -1 with errno on error. */
int client_try(const struct world *w, const char *address);
/* Reads until the peer closes; returns the number of bytes. */
size_t client_drain(int fd);
/* Reads exactly len bytes; fails the test otherwise. */
void client_read_bytes(int fd, void *p, size_t len);
/* The same, and asserts their content. */
void client_expect_bytes(int fd, const void *want, size_t len);
/* Sends all the bytes; fails the test otherwise. */
void client_send(int fd, const void *p, size_t len);
/* Sends one record.  Its padding looks like FCGI_ABORT_REQUEST records of
 * id. */
void client_record(int fd, int type, int id, const void *p, size_t len,
	unsigned padding);
/* Sends BEGIN and the parameters, each "NAME=VALUE", NULL at the end. */
void client_begin(int fd, int id, int flags, const char *const *params);
/* The same for any role. */
void client_begin_role(int fd, int id, int role, int flags,
	const char *const *params);
/* Sends this text as FCGI_STDIN of the request with ID 1, and its end. */
void client_body(int fd, const char *text);
/* Reads one whole record; fails the test otherwise. */
void client_read_record(int fd, struct record *ret);
/* Writes a request with ID 1 and up to 64 KiB of body; returns its size. */
size_t client_put_request(uint8_t *to, size_t max, int flags,
	const char *const *params, const void *body, size_t len);
/* How a client sends a body and reads the answer. */
struct client_pace {
	size_t record;		/* content of a record; 0 = random, 1 to
				 * 65535 */
	unsigned padding;	/* of each record */
	size_t send_max, recv_max;	/* bytes per call; 0 = no limit */
	void (*on_turn)(void *arg);	/* called before each call, or NULL */
	void *arg;
};

/* Sends body while it reads, so that neither side waits for the other.  Sends
 * no FCGI_STDIN if body is NULL.  Ends like client_read(). */
struct answer client_converse(int fd, const uint8_t *body, size_t len,
	const struct client_pace *pace);
/* Reads until END_REQUEST or until the peer closes; fails the test after 20
 * s. */
struct answer client_read(int fd);
/* Sends a request without a body, and its end. */
void client_ask(int fd, int flags, const char *const *params);
/* The same, and returns its answer. */
struct answer client_get(int fd, int flags, const char *const *params);
/* Frees a large answer before the end of the test. */
void answer_free(struct answer *a);
/* Reads an answer; asserts status 503 and this Retry-After; closes. */
void client_expect_503(int fd, const char *retry_after);
/* Makes a whole request: connects, sends body (may be NULL), reads, closes. */
struct answer client_call(const struct world *w, const char *address,
	const char *const *params, const void *body, size_t len);
/* The same with SCRIPT_FILENAME and QUERY_STRING. */
struct answer client_script(const struct world *w, const char *address,
	const char *script, const char *query);
/* A script that prints how many of it run, and the largest number that one of
 * 24 clients got, all connected at once. */
extern const char client_crowd_script[];
long client_crowd(const struct world *w, const char *address);
/* Asserts that the output contains text. */
void answer_expect(struct answer a, const char *text);
/* Returns the number after "label: " in the output. */
long answer_number(const struct answer *a, const char *label);

#endif
