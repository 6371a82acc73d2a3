/*
 * exit.h - exit statuses of fcgipmctl
 */
#ifndef FCGIPM_CTL_EXIT_H
#define FCGIPM_CTL_EXIT_H

/* Exit status by outcome (fcgipmctl(8)). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_PROTOCOL = 1,	/* incomplete, or not FastCGI */
	CTL_CONNECT = 2,
	CTL_TIMEOUT = 3,
	CTL_CLIENT_ERROR = 4,	/* HTTP status 4xx */
	CTL_SERVER_ERROR = 5	/* HTTP status 5xx */
};

#endif
