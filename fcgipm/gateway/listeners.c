/*
 * listeners.c - obtains the listening sockets of fcgipm-cgi; see listeners.h
 *
 * Called by gateway/main.  The supervisor passes descriptors 0, 3, 4 and so on
 * (-L), systemd those from 3 (sd_listen_fds(3)), spawn-fcgi and similar
 * programs descriptor 0 (FastCGI 1.0, section 2.2); -l opens further ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "gateway/listeners.h"
#include "proto/fcgi.h"
#include "sys/privs.h"

#define FIRST_FD 3		/* after stderr; also SD_LISTEN_FDS_START */

static bool
is_listening(int fd)
{
	int on = 0;
	socklen_t len = sizeof(on);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &len) == 0 && on;
}

/* Adds n descriptors from first on. */
static int
add_inherited(struct listeners *l, int first, int n)
{
	int fd;

	for (fd = first; fd < first + n; fd++) {
		if (!is_listening(fd)) {
			log_error("descriptor %d is not a listening socket; "
				"%s", fd, fd < FIRST_FD ? "give -l ADDR" :
				"set Accept=no in the socket unit");
			return EXIT_SYSTEM;
		}
		l->fds[l->n++] = fd;
	}
	return 0;
}

/* LISTEN_FDS of sd_listen_fds(3); 0 when it is for another process. */
static int
count_activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");

	if (!pid || !n || strtol(pid, NULL, 10) != (long)getpid())
		return 0;
	return (int)MIN(MAX(strtol(n, NULL, 10), 0L), LISTENERS_MAX + 1L);
}

static int
open_own(const struct options *o, const struct privs *us, const char *text,
	struct listeners *l)
{
	const struct listen_opts lo = {
		.backlog = (int)o->keys->listen_backlog,
		.owner = us->set_ids ? us->uid : (uid_t)-1,
		.group = us->set_ids ? us->gid : (gid_t)-1,
		.mode = (mode_t)o->keys->listen_mode,
		.allowed_clients = o->keys->listen_allowed_clients,
	};
	const char *bad = NULL;
	struct addr addr;
	char why[256];

	if (addr_parse(text, &addr, &bad) < 0)
		return options_usage("-l: %s", bad);
	if (addr_is_tcp(&addr) && !addr_is_loopback(&addr) &&
		!lo.allowed_clients)
		return options_usage("-l %s is open to the network; add the "
			"web server, such as -o listen.allowed_clients="
			"10.0.0.0/8", addr.text);
	if (listen_open(&addr, &lo, &l->own[l->nown], why, sizeof(why)) < 0) {
		/* Action: Stop the other process, choose another address, or
		 * create the directory of the socket. */
		log_error("listening socket: %s; fcgipm-cgi exits", why);
		return EXIT_SYSTEM;
	}
	if (addr_is_path(&addr) && !listen_reachable(&lo))
		/* Action: nginx answers 502 while it cannot connect. Give -o
		 * group= with the group of the web server, as root. */
		log_warning("listening socket %s: none of the users www-data, "
			"nginx, http and apache may connect to it; set -o "
			"group= to the group of the web server", addr.text);
	l->fds[l->n++] = l->own[l->nown].fd;
	l->own[l->nown++].fd = -1;	/* the server closes it */
	return 0;
}

int
listeners_open(const struct options *o, const struct privs *us,
	struct listeners *l)
{
	int activated = o->supervised ? 0 : count_activated();
	size_t i;
	int status;

	*l = (struct listeners){0};
	if (o->supervised) {
		/* The first is 0, as for every worker. */
		status = add_inherited(l, FCGI_LISTENSOCK_FILENO, 1);
		return status ? status :
			add_inherited(l, FIRST_FD, MAX(o->inherited, 1) - 1);
	}
	if (activated + (int)o->nlisten == 0)
		return add_inherited(l, FCGI_LISTENSOCK_FILENO, 1);
	if (activated + (int)o->nlisten > LISTENERS_MAX) {
		log_error("listening sockets: more than %d; remove some from "
			"the socket unit or -l; fcgipm-cgi exits",
			LISTENERS_MAX);
		return EXIT_SYSTEM;
	}
	status = add_inherited(l, FIRST_FD, activated);
	for (i = 0; !status && i < o->nlisten; i++)
		status = open_own(o, us, o->listen[i], l);
	return status;
}

const char *
listeners_text(const struct listeners *l)
{
	static char text[512];
	size_t inherited = l->n - l->nown, len = 0, i;

	/* Those of -l come last. */
	for (i = 0; i < l->n && len < sizeof(text); i++) {
		const char *comma = i ? ", " : "";

		len += (size_t)(i < inherited ?
			snprintf(text + len, sizeof(text) - len,
				"%sdescriptor %d", comma, l->fds[i]) :
			snprintf(text + len, sizeof(text) - len, "%s%s", comma,
				l->own[i - inherited].addr.text));
	}
	return text;
}

void
listeners_close(struct listeners *l)
{
	while (l->nown > 0)
		listen_close(&l->own[--l->nown]);
}
