/*
 * foreign.c - knows programs that do not accept FastCGI connections; see
 * foreign.h
 *
 * Called by master/preflight.
 */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/util.h"
#include "conf/conf.h"
#include "master/foreign.h"

#define HTTP                                                                   \
	"speaks HTTP, not FastCGI; start it without fcgipm and let the web "   \
	"server pass requests to it (nginx: proxy_pass), or write a FastCGI "  \
	"program in handler"
#define MANAGER                                                                \
	"starts FastCGI programs itself; write the FastCGI program it starts"
#define CGI                                                                    \
	"is a CGI program: it answers one request and exits; write mode = cgi"
#define TOOL                                                                   \
	"is not a FastCGI program: it never accepts a connection; write the "  \
	"program of your application"

static const struct {
	const char *name;	/* "php*": with a version after it */
	const char *text;
} programs[] = {
	{"nginx", HTTP}, {"apache2", HTTP}, {"httpd", HTTP},
	{"lighttpd", HTTP}, {"caddy", HTTP}, {"haproxy", HTTP},
	{"traefik", HTTP}, {"varnishd", HTTP}, {"gunicorn", HTTP},
	{"uvicorn", HTTP}, {"hypercorn", HTTP}, {"daphne", HTTP},
	{"waitress-serve", HTTP}, {"twistd", HTTP}, {"flask", HTTP},
	{"puma", HTTP}, {"unicorn", HTTP}, {"thin", HTTP}, {"rackup", HTTP},
	{"starman", HTTP}, {"webfsd", HTTP}, {"thttpd", HTTP},
	{"mini_httpd", HTTP}, {"http-server", HTTP}, {"npm", HTTP},
	{"php-fpm*", MANAGER}, {"spawn-fcgi", MANAGER}, {"multiwatch", MANAGER},
	{"fcgipm", MANAGER}, {"supervisord", MANAGER},
	{"fcgipm-cgi", "is the gateway of cgi pools; write mode = cgi and "
		"docroot or handler"},
	{"uwsgi*", "opens sockets of its own; start it without fcgipm, or "
		"write a FastCGI program in handler"},
	{"php", "is PHP's command line, which does not speak FastCGI; write "
		"/usr/bin/php-cgi"},
	{"git-http-backend", CGI}, {"cgit.cgi", CGI}, 
	{"sleep", TOOL}, {"true", TOOL}, {"false", TOOL}, {"echo", TOOL},
	{"printf", TOOL}, {"cat", TOOL}, {"ls", TOOL}, {"yes", TOOL},
	{"date", TOOL}, {"tail", TOOL}, {"test", TOOL}, {"id", TOOL},
	{"sudo", "cannot be used here; write the program in handler and its "
		"user in user"},
	{"su", "cannot be used here; write the program in handler and its user "
		"in user"},
	{"chroot", "cannot be used here; write the program in handler and its "
		"root directory in chroot"},
	{"nohup", "is not needed; write the program itself"},
	{"daemonize", "is not needed; write the program itself, in the "
		"foreground"},
	{"start-stop-daemon", "is not needed; write the program itself, in the "
		"foreground"},
	{"systemctl", TOOL}, {"docker", TOOL}, {"nc", TOOL}, {"socat", TOOL},
};

/* Programs that run a script, which has to be named. */
static const char *const interpreters[] = {"python", "python2*", "python3*",
	"perl", "ruby*", "sh", "bash", "dash", "zsh", "ksh", "lua*", "node",
	"nodejs", "tclsh*", "java", "env", "Rscript", "guile*"};

static const struct {
	const char *word, *text;
} arguments[] = {
	{"http.server", HTTP}, {"SimpleHTTPServer", HTTP},
	{"runserver", HTTP}, {"gunicorn", HTTP}, {"uvicorn", HTTP},
	{"hypercorn", HTTP}, {"waitress", HTTP}, {"flask", HTTP},
	{"--daemon", "makes the program leave its worker process; remove it: "
		"a handler stays in the foreground"},
	{"--daemonize", "makes the program leave its worker process; remove "
		"it: a handler stays in the foreground"},
	{"--background", "makes the program leave its worker process; remove "
		"it: a handler stays in the foreground"},
	{"&", "is an argument here, not the shell's operator; remove it: a "
		"handler stays in the foreground"},
	{"&&", "is an argument here, not the shell's operator; write a script "
		"that begins with #!/bin/sh"},
	{"|", "is an argument here, not the shell's operator; write a script "
		"that begins with #!/bin/sh"},
	{">", "is an argument here, not the shell's operator; remove it: "
		"output of workers is logged"},
	{">>", "is an argument here, not the shell's operator; remove it: "
		"output of workers is logged"},
	{"2>&1", "is an argument here, not the shell's operator; remove it: "
		"output of workers is logged"},
};

/* "php*" has a version after it, or nothing. */
static bool
matches(const char *pattern, const char *name)
{
	size_t len = strcspn(pattern, "*");

	if (pattern[len] == '\0')
		return strcmp(pattern, name) == 0;
	return strncmp(pattern, name, len) == 0 &&
		name[len + strspn(name + len, "-.0123456789")] == '\0';
}

static bool
is_of_system(const char *path, size_t len)
{
	static const char *const directories[] = {"/bin", "/sbin", "/usr/bin",
		"/usr/sbin", "/usr/local/bin", "/usr/local/sbin",
		"/usr/libexec", "/usr/lib/git-core", "/usr/libexec/git-core"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(directories); i++)
		if (strlen(directories[i]) == len &&
			strncmp(directories[i], path, len) == 0)
			return true;
	return false;
}

/* Debian has php-cgi there, too. */
static bool
is_in_cgi_bin(const char *path)
{
	const char *name = strstr(path, "/cgi-bin/");

	return name && strncmp(name + strlen("/cgi-bin/"), "php", 3) != 0;
}

static bool
is_interpreter(const struct conf_pool *p)
{
	const char *slash = strrchr(p->handler, '/');
	size_t i;

	for (i = 0; i < ARRAY_SIZE(interpreters); i++)
		if (matches(interpreters[i], slash + 1))
			return is_of_system(p->handler,
				(size_t)(slash - p->handler));
	return false;
}

const char *
foreign_script(const struct conf_pool *p)
{
	if (!p->handler || p->mode == CONF_MODE_CGI || !is_interpreter(p) ||
		p->handler_args.n == 0 || p->handler_args.v[0][0] == '-')
		return NULL;
	/* The arguments of these are a program's name and a class. */
	return strcmp(strrchr(p->handler, '/'), "/env") == 0 ||
			strcmp(strrchr(p->handler, '/'), "/java") == 0 ?
		NULL : p->handler_args.v[0];
}

const char *
foreign_handler(const struct conf_pool *p, bool *ret_sure)
{
	const char *slash, *name;
	size_t i;

	if (!p->handler || p->mode == CONF_MODE_CGI)
		return NULL;
	slash = strrchr(p->handler, '/');
	name = slash + 1;
	*ret_sure = !is_in_cgi_bin(p->handler);
	if (!*ret_sure)
		return "is in a directory of CGI programs; for one of them "
		       "write mode = cgi";
	if (!is_of_system(p->handler, (size_t)(slash - p->handler)))
		return NULL;
	for (i = 0; i < ARRAY_SIZE(programs); i++)
		if (matches(programs[i].name, name))
			return programs[i].text;
	return is_interpreter(p) && p->handler_args.n == 0 ?
		"is an interpreter without a script; write the script in "
		"handler_args, or in handler if it has a #! line" : NULL;
}

/* Options of programs by which they open sockets or fork by themselves. */
static const char *
option_text(const char *handler, const char *word)
{
	const char *name = strrchr(handler, '/') + 1;

	if (strncmp(name, "php-cgi", 7) == 0 && strncmp(word, "-b", 2) == 0)
		return "makes php-cgi open a socket; remove it: the socket is "
		       "that of listen";
	if (strncmp(name, "php", 3) == 0 && strcmp(word, "-S") == 0)
		return HTTP;
	return NULL;
}

const char *
foreign_argument(const struct conf_pool *p, const char **ret_word)
{
	size_t i, j;

	if (!p->handler || p->mode == CONF_MODE_CGI)
		return NULL;
	for (i = 0; i < p->handler_args.n; i++) {
		const char *word = p->handler_args.v[i];
		const char *text = option_text(p->handler, word);

		for (j = 0; !text && j < ARRAY_SIZE(arguments); j++)
			if (strcmp(arguments[j].word, word) == 0)
				text = arguments[j].text;
		*ret_word = word;
		if (text)
			return text;
	}
	return NULL;
}
