/*
 * super.h - the supervisor: starting, running, stopping
 */
#ifndef FCGIPM_MASTER_SUPER_H
#define FCGIPM_MASTER_SUPER_H

struct conf;

struct super_opts {
	unsigned long nofile;	/* soft limit the children get back */
	/*
	 * -D: written to once, a byte with the exit code, when every pool is
	 * up (0) or one could not come up; -1 in the foreground, where a bad
	 * pool goes on trying and hurts no other.
	 */
	int tellfd;
};

/*
 * super_run - serve conf until told to stop
 *
 * returns	the exit code of fcgipm(8); problems are in the log
 */
int super_run(const struct conf *conf, const struct super_opts *opts);

#endif
