/*
 * world.h - a fresh folder, the real daemon in it, and a FastCGI client
 *
 * Every end-to-end test makes a world, talks to the daemon through its socket
 * and closes it; world_close() asserts that nothing is left behind.
 */
#ifndef FCGIPM_T_WORLD_H
#define FCGIPM_T_WORLD_H

/* Of the C library and Criterion, what nearly every test needs. */
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

/* Types of records, a flag and roles of FastCGI 1.0, section 8; not taken from
 * the code under test. */
enum { BEGIN = 1, ABORT, END, PARAMS, STDIN, STDOUT, STDERR, DATA, GET_VALUES,
	GET_VALUES_RESULT, UNKNOWN_TYPE };
enum { KEEP_CONN = 1 };
enum { RESPONDER = 1, AUTHORIZER, FILTER };

#define WORLD_GATEWAYS 16
/* How long a test waits for what must come. */
#define WORLD_PATIENCE_MS 20000

/* A gateway below the daemon, when that was ready. */
struct world_gateway {
	pid_t pid;
	size_t fds;
	long rss_kib;
};

struct world {
	char dir[256];		/* our folder; sockets and files go here */
	char log[300];		/* the daemon's stderr */
	pid_t pid;		/* the daemon, 0 when not running */
	int port;		/* of 127.0.0.1, free when the world was made */
	char tcp[32];		/* the address it makes */
	size_t fds;		/* the daemon's descriptors when it was ready,
				 * 0 = not to be compared at the stop */
	size_t sockets;		/* those of them that are sockets */
	struct world_gateway gateways[WORLD_GATEWAYS];
	size_t ngateways;
	bool changed;		/* only the sockets are compared */
	bool deaths;		/* the log may tell of some */
	struct world *next;	/* another one of this test */
	pid_t guard;		/* ends what a failed test leaves */
	int guardfd;		/* its wake-up: closed when we end */
};

/* An answer, as it came over the wire; its memory lasts as long as the test. */
struct answer {
	char *out;		/* FCGI_STDOUT, with a NUL behind */
	size_t out_len;
	char *err;		/* FCGI_STDERR */
	size_t err_len;
	bool ended;		/* FCGI_END_REQUEST came */
	uint32_t app_status;
	uint8_t protocol_status;
	bool end_with_output;	/* END came in the same read as the rest */
	double seconds;		/* from connect to the end */
};

/* One record, as it came. */
struct record {
	int type, id;
	size_t len;
	uint8_t content[65535 + 1];	/* with a NUL behind */
};

/* Skips the test, saying why, unless it runs as root or as another user. */
void world_need_root(void);
void world_need_user(void);
/* The same where the kernel lets us attach no filter to a socket. */
void world_need_filter(void);

/* Whom pools run as whose text does not say it, by number; NULL = as we. */
const char *world_pool_user(void);
/* May we, as root, not look at processes of others? */
bool world_is_blind(void);

/* Programs of the build and scripts of the sources, by name; what begins with /
 * is world_program()'s answer to itself. */
char *world_program(const char *name);
char *world_handler(const char *name);
char *world_child(const char *name);

struct world *world_open(void);
/* The same, with the daemon and a pool www at www.sock with these keys. */
struct world *world_serve(const char *keys);
/* The program that a Go source of t/children becomes, valid like a path; skips
 * the test where there is no Go. */
const char *world_go(struct world *w, const char *source);
/* A path in the world's folder. */
char *world_path(const struct world *w, const char *name);
/* Writes a file into the folder; @DIR@, @BIN@, @T@, @PORT@ are replaced in
 * text. */
const char *world_write(const struct world *w, const char *name,
	const char *text);
/* The same, executable. */
const char *world_script(const struct world *w, const char *name,
	const char *text);

/* Starts fcgipm -c on this text and waits until it says ready.  Where
 * FCGIPM_POOL_USER is set, every pool without one runs as that user. */
void world_start(struct world *w, const char *ini);
/* The same with a pool www at www.sock, and these keys of it; further pools may
 * follow. */
void world_start_www(struct world *w, const char *keys);
/* The same without waiting. */
void world_launch(struct world *w, const char *ini);
/* The same for a command line of one's own, argv[0] a program's name. */
void world_launch_argv(struct world *w, const char *const *argv);
/* The same where a system call fails, see t/children/deny.c. */
void world_start_without(struct world *w, const char *call, const char *err,
	const char *ini);
/* Starts it with one pool, www, in cgi mode at www.sock; program is the key
 * that says what it runs, keys are further ones. */
void world_start_cgi(struct world *w, const char *program, const char *keys);
/* A world of its own in which such a pool runs this script for every
 * request. */
struct world *world_start_script(const char *script, const char *keys);
/* Starts it on this text and waits for its end; exit status. */
int world_refused(struct world *w, const char *ini);
/* Waits for a line in the log; fails the test after 10 s. */
void world_expect_log(struct world *w, const char *text);
/* Waits until it stands there so often. */
void world_expect_lines(struct world *w, const char *text, size_t times);
bool world_log_has(struct world *w, const char *text);
/* How often text stands in the log. */
size_t world_log_count(struct world *w, const char *text);
/* The whole log, as it is now; it lasts as long as the test. */
char *world_log(struct world *w);

/*
 * world_run - a program of the build to its end
 *
 * argv		argv[0] is "fcgipm", "fcgipm-cgi" or "fcgipmctl"
 * ret_out	stdout and stderr together; it lasts as long as the test
 * returns	exit status, or 128 and the signal
 */
int world_run(struct world *w, const char *const *argv, char **ret_out);

/* Workers of this world die, and the log tells so. */
void world_expect_deaths(struct world *w);

/* Holds races of the supervisors to come open, see t/children/races.c:
 * "stop=4,bind=200". */
void world_hold_races(const char *races);

/* Runs sh(1) on this text with the marks replaced, in the folder; asserts
 * status 0. */
void world_shell(struct world *w, const char *text);

/* TERM, and asserts exit status 0. */
void world_stop(struct world *w);
/* The same while clients are connected: no descriptors are compared. */
void world_stop_busy(struct world *w);
/* A signal to the daemon; asserts. */
void world_signal(struct world *w, int signo);
/* Waits for the daemon's end; exit status, or 128 and the signal. */
int world_wait(struct world *w);
/*
 * Every test's body is called by this: when it has come to its end, clients'
 * connections that are still open are closed, then its worlds as by
 * world_close(), then the memory of answers and logs is freed.  Not by a .fini
 * of Criterion: what fails there fails no test (2.4.1).
 */
#define criterion_internal_test_main world_test_main
void world_test_main(void (*body)(void));
/* Stops what runs, asserts that no process, socket or file of ours is left,
 * removes the folder. */
void world_close(struct world **w);
/* The same where workers may be more or fewer than at the start, or are looked
 * at: of the daemon's descriptors only the sockets are compared. */
void world_close_changed(struct world **w);

/* The pause between two looks at what is waited for. */
void world_breathe(void);
/* Waits until check is true; fails the test naming what. */
void world_until(bool (*check)(void *), void *arg, const char *what);
/* Fails the test as soon as check is false: longer than the pause between two
 * inspections of a pool.  For what must stay so. */
void world_stays(bool (*check)(void *), void *arg, const char *what);
/* Waits until no process of this number lives (zombies count as gone). */
void world_until_gone(pid_t pid);
bool world_alive(pid_t pid);
/* Is there such a file?  For world_until(). */
bool world_exists(void *path);
/* The number in a file, waiting for the file. */
pid_t world_read_pid(const char *path);
/* Children of a process: how many, and the first max of them. */
size_t world_children(pid_t parent, pid_t *ret, size_t max);
/* The same with probers among them. */
size_t world_all_children(pid_t parent, pid_t *ret, size_t max);
/* Is it a child that looks for the supervisor where that may not? */
bool world_is_prober(pid_t pid);
/* Of the daemon's, those that only look at workers are not among them. */
size_t world_probers(pid_t daemon);
/* Waits until the daemon has so many workers. */
void world_expect_workers(const struct world *w, size_t least, size_t most,
	const char *what);
/* The same, and that it keeps them for longer than the pause between two
 * inspections of a pool. */
void world_keeps_workers(const struct world *w, size_t n, const char *what);

/* How many descriptors a process has open. */
size_t world_fd_count(pid_t pid);
/* The value of a line of /proc/PID/status, valid until the next call; ""
 * when there is none. */
const char *world_proc_status(pid_t pid, const char *key);
/* What look() says of a worker, looked at as the pools' user where that is not
 * us: we may not have the right to. */
long world_look(long (*look)(pid_t pid), pid_t pid);
/* The system call that the process or task sleeps in ("PID" or "PID/task/TID"),
 * -1 while it runs or where it cannot be read. */
long world_call_of_task(const char *task);
/* The same of a process, for world_look(). */
long world_call_of(pid_t pid);
/* How often a process went to sleep, which is how often it was woken. */
long world_sleeps(pid_t pid);
/* Milliseconds of CLOCK_MONOTONIC. */
int64_t world_now_ms(void);

/* A connection to "name" in the folder, @name, or host:port; asserts. */
int client_connect(const struct world *w, const char *address);
/* The same, or -1 with errno. */
int client_try(const struct world *w, const char *address);
/* Waits until the peer has closed, dropping what comes; its byte count. */
size_t client_drain(int fd);
/* Reads exactly so many bytes; asserts. */
void client_read_bytes(int fd, void *p, size_t len);
/* The same, and that they are these. */
void client_expect_bytes(int fd, const void *want, size_t len);
/* Asserts that the bytes go out. */
void client_send(int fd, const void *p, size_t len);
/* One record.  Its padding looks like FCGI_ABORT_REQUEST records of id. */
void client_record(int fd, int type, int id, const void *p, size_t len,
	unsigned padding);
/* BEGIN and the parameters, "NAME=VALUE" each, NULL at the end. */
void client_begin(int fd, int id, int flags, const char *const *params);
/* The same for any role. */
void client_begin_role(int fd, int id, int role, int flags,
	const char *const *params);
/* FCGI_STDIN of the request with id 1: this text, and its end. */
void client_body(int fd, const char *text);
/* Reads one whole record; asserts. */
void client_read_record(int fd, struct record *ret);
/* All the bytes of a request with id 1, up to 64 KiB of body; their number. */
size_t client_put_request(uint8_t *to, size_t max, int flags,
	const char *const *params, const void *body, size_t len);
/* How a client sends a body and reads the answer. */
struct client_pace {
	size_t record;		/* content of a record; 0 = random, 1-65535 */
	unsigned padding;	/* of each */
	size_t send_max, recv_max;	/* bytes of one call; 0 = no limit */
	void (*on_turn)(void *arg);	/* before each call, or NULL */
	void *arg;
};

/* Sends body while it reads, so that neither side waits for the other; no
 * FCGI_STDIN at all where body is NULL.  The end as with client_read(). */
struct answer client_converse(int fd, const uint8_t *body, size_t len,
	const struct client_pace *pace);
/* Reads until END_REQUEST or the peer closes; timeout 20 s asserts. */
struct answer client_read(int fd);
/* A request without a body, to its end. */
void client_ask(int fd, int flags, const char *const *params);
/* The same, and its answer. */
struct answer client_get(int fd, int flags, const char *const *params);
/* Gives an answer's memory back before the end of the test, where it is much.
 */
void answer_free(struct answer *a);
/* Reads an answer that says 503 and when to come again, as the pages promise;
 * closes. */
void client_expect_503(int fd, const char *retry_after);
/* A whole request: connects, sends body (may be NULL), reads, closes. */
struct answer client_call(const struct world *w, const char *address,
	const char *const *params, const void *body, size_t len);
/* The same with SCRIPT_FILENAME and QUERY_STRING. */
struct answer client_script(const struct world *w, const char *address,
	const char *script, const char *query);
/* A script that tells how many of it run, and the most that one of 24 clients
 * is told who come at once. */
extern const char client_crowd_script[];
long client_crowd(const struct world *w, const char *address);
/* Asserts that out holds text. */
void answer_expect(struct answer a, const char *text);
/* The number behind "label: " in out. */
long answer_number(const struct answer *a, const char *label);

#endif
