/*
 * ctl.h - the commands of fcgipmctl, their options and exit statuses
 *
 * The modules of ctl/, lowest layer first:
 *
 *	exit.h		exit statuses
 *	histogram	latency histogram (pure)
 *	columns		prints a table
 *	print		prints untrusted text, escaped
 *	params		encodes the records before the body of a request
 *	exchange	sends one request, receives its answer
 *	supervisor	client of the control socket
 *	status		fcgipmctl status
 *	call		fcgipmctl call
 *	ping		fcgipmctl ping
 *	bench		fcgipmctl bench
 *	main		parses the command and its options
 */
#ifndef FCGIPM_CTL_CTL_H
#define FCGIPM_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "ctl/exchange.h"
#include "ctl/exit.h"
#include "ctl/supervisor.h"

struct ctl_options {
	struct supervisor supervisor;	/* status: the supervisor to ask */
	const char *pool;	/* status: NULL = all */
	bool measure;		/* status: with CPU time and memory */
	struct addr addr;
	const char *url;
	const char **params;	/* NAME=VALUE, nparams of them */
	size_t nparams;
	const char *body;	/* file, "-" = stdin; bench: a size */
	bool headers, json, keep, verbose;
	unsigned connections;
	uint64_t requests;	/* 0 = until seconds have passed */
	double seconds;
	int64_t timeout_ms;
};

/* The name of a result in output: "connect", "timeout" and so on. */
const char *ctl_result_name(enum exchange_result r);
/* The exit status for a result; status is the HTTP status of an answer. */
int ctl_exit_code(enum exchange_result r, unsigned status);

/* Each runs one command and returns its exit status. */
int ctl_call(const struct ctl_options *o);
int ctl_ping(const struct ctl_options *o);
int ctl_bench(const struct ctl_options *o);
int ctl_status(const struct ctl_options *o);

#endif
