/*
 * super.h - the main loop of the supervisor: starts, watches and stops pools
 *
 * The modules of master/, lowest layer first:
 *
 *	notify		reports READY, STATUS and STOPPING to systemd
 *	pidfile		writes and removes the PID file
 *	status		builds the JSON answer of "status"
 *	commands	executes one command, returns its answer
 *	control		control socket server: clients, permissions, lines
 *	super		opens, starts and stops the pools; handles signals
 *	main		options, configuration, -D; then calls super_run()
 */
#ifndef FCGIPM_MASTER_SUPER_H
#define FCGIPM_MASTER_SUPER_H

struct conf;

struct super_opts {
	unsigned long nofile;	/* soft limit of the children */
	/*
	 * -D: the pipe to the parent process.  One byte is written, once: the
	 * exit code, 0 when every pool is ready.  -1 without -D: a pool that
	 * fails to start then retries and does not affect the others.
	 */
	int reportfd;
};

/*
 * super_run - serve the pools of conf until a signal ends this
 *
 * returns	the exit code of fcgipm(8); errors have been logged
 */
int super_run(const struct conf *conf, const struct super_opts *opts);

#endif
