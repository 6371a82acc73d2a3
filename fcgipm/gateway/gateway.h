/*
 * gateway.h - declares what all modules of fcgipm-cgi share
 *
 * The modules of this directory, lowest layer first; each includes only modules
 * of the lines above it:
 *
 *	script		one running CGI process: start, signals, exit
 *	capacity	limits connections, running programs and large pipes
 *	peer		names the client of a connection in log lines
 *	writer		output queue of a connection
 *	reaper		table of running programs by PID, for SIGCHLD
 *	failure		composes the log line of a failed request
 *	locate		opens the file that a script path names
 *	program		finds and starts the program of a request
 *	body		passes the request body to the program
 *	answer		sends the program's output as records
 *	request		state machine of one request
 *	request_run	its second half: start, timeouts and end of the program
 *	conn		one client connection: socket, timeouts, close
 *	conn_records	its second half: dispatches records by their type
 *	server		accepts connections, drains on shutdown
 *	options		command line
 *	listeners	obtains the listening sockets
 *	main		start and shutdown of the process
 *
 * A module notifies a higher one only through callbacks.
 */
#ifndef FCGIPM_GATEWAY_GATEWAY_H
#define FCGIPM_GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capacity;
struct conf_pool;
struct loop;
struct privs;
struct reaper;

/* Set by main() at start, read only afterwards. */
struct gateway_opts {
	const struct conf_pool *pool;	/* its cgi.* keys and max_children */
	const char *docroot;	/* no trailing slash, "" = /; NULL = none */
	char *const *handler;	/* argv of HANDLER; NULL = none */
	const char *handler_dir;	/* directory of HANDLER, NULL = none */
	char *const *programs;	/* paths of -p; NULL = no such list */
	char *const *own_env;	/* NAME=VALUE that overrides parameters */
	char *const *base_env;	/* NAME=VALUE that parameters override */
	const struct privs *child;	/* limits of a program */
	const char *user;	/* of gateway and programs, for messages */
	const char *peers;	/* FCGI_WEB_SERVER_ADDRS, NULL = all */
	int nullfd;		/* /dev/null, stdin without a body */
};

/* Slots of gateway.brief.  Programs that share a slot affect each other only in
 * how soon they are watched. */
#define GATEWAY_KEYS 256

/* Shared by the connections and requests of the process. */
struct gateway {
	struct loop *loop;
	const struct gateway_opts *opts;
	struct capacity *capacity;
	struct reaper *reaper;
	bool brief[GATEWAY_KEYS];	/* the last run of the program took
					 * only milliseconds */
};

#endif
