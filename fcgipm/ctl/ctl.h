/*
 * ctl.h - the commands of fcgipmctl, and what they share
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
	struct supervisor supervisor;	/* status: which one */
	const char *pool;	/* status: NULL = all */
	bool measure;		/* status: CPU and memory too */
	struct addr addr;
	const char *url;
	const char **params;	/* NAME=VALUE, nparams of them */
	size_t nparams;
	const char *body;	/* file, "-" = stdin; bench: a size */
	bool headers, json, keep, verbose;
	unsigned connections;
	uint64_t requests;	/* 0 = by time */
	double seconds;
	int64_t timeout_ms;
};

/* "connect", "timeout" ... as errors are called in output. */
const char *ctl_result_name(enum exchange_result r);
/* The exit status for a result, and for a status code when it is OK. */
int ctl_exit_code(enum exchange_result r, unsigned status);

/* Each runs one command to its end and returns the exit status. */
int ctl_call(const struct ctl_options *o);
int ctl_ping(const struct ctl_options *o);
int ctl_bench(const struct ctl_options *o);
int ctl_status(const struct ctl_options *o);

#endif
