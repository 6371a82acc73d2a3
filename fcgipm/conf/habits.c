/*
 * habits.c - knows key and section names of other daemons; see habits.h
 *
 * Called by conf/load for a name that the table of keys does not have.
 */
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"
#include "conf/habits.h"

#define LEAVE_OUT "leave it out"
#define WEB_SERVER "let the web server do this"
#define INI_VALUE                                                              \
	"write -d NAME=VALUE in handler_args (scripts can override it: "       \
	"php-cgi has no php_admin_value)"

static const struct habit keys[] = {
	/* PHP-FPM */
	{"error_log", NULL, "write log in [fcgipm]"},
	{"daemonize", NULL, "start fcgipm with -D, or without it in the "
		"foreground"},
	{"pm.status_path", NULL, "use fcgipmctl status"},
	{"pm.status_listen", NULL, "use fcgipmctl status"},
	{"ping.path", NULL, "use fcgipmctl ping"},
	{"ping.response", NULL, "use fcgipmctl ping"},
	{"request_slowlog_trace_depth", NULL, LEAVE_OUT ": it is 64"},
	{"request_terminate_timeout_track_finished", NULL, LEAVE_OUT},
	{"access.log", NULL, "let the web server log requests"},
	{"access.format", NULL, "let the web server log requests"},
	{"catch_workers_output", NULL, LEAVE_OUT ": output of workers is "
		"always logged"},
	{"decorate_workers_output", NULL, LEAVE_OUT},
	{"security.limit_extensions", NULL, "restrict in the web server which "
		"files it passes (nginx: location ~ \\.php$); cgi pools have "
		"cgi.extensions"},
	{"listen.acl_users", NULL, "use listen.owner, listen.group or "
		"listen.mode"},
	{"listen.acl_groups", NULL, "use listen.group and listen.mode"},
	{"listen.setfib", NULL, LEAVE_OUT},
	{"process_control_timeout", NULL, "write stop_timeout in the pool"},
	{"emergency_restart_threshold", NULL, LEAVE_OUT ": a pool retries "
		"with back-off and never gives up"},
	{"emergency_restart_interval", NULL, LEAVE_OUT},
	{"rlimit_stack", NULL, "fcgipm does not limit it; systemd has "
		"LimitSTACK="},
	{"php_value", NULL, INI_VALUE},
	{"php_flag", NULL, INI_VALUE},
	{"php_admin_value", NULL, INI_VALUE},
	{"php_admin_flag", NULL, INI_VALUE},
	{"prefix", NULL, "write absolute paths"},
	{"events.mechanism", NULL, LEAVE_OUT},
	{"systemd_interval", NULL, LEAVE_OUT},
	{"syslog.facility", NULL, LEAVE_OUT ": it is daemon"},
	{"syslog.ident", NULL, LEAVE_OUT ": it is fcgipm"},
	{"log_limit", NULL, LEAVE_OUT},
	{"log_buffering", NULL, LEAVE_OUT},
	{"apparmor_hat", NULL, LEAVE_OUT},
	/* uWSGI */
	{"module", "handler", "fcgipm runs a program and loads no module; "
		"write in handler a FastCGI program that calls it, see "
		"fcgipm-handler(7)"},
	{"wsgi", "handler", "write the FastCGI program in handler"},
	{"wsgi-file", "handler", "write the FastCGI program in handler"},
	{"callable", NULL, "write the FastCGI program in handler"},
	{"plugin", NULL, "write the FastCGI program in handler"},
	{"plugins", NULL, "write the FastCGI program in handler"},
	{"socket", "listen", "write listen"},
	{"fastcgi-socket", "listen", "write listen"},
	{"uwsgi-socket", "listen", "write listen; the web server has to speak "
		"FastCGI (nginx: fastcgi_pass, not uwsgi_pass)"},
	{"http", "listen", "fcgipm speaks FastCGI, not HTTP: write listen, and "
		"let the web server connect to it"},
	{"http-socket", "listen", "fcgipm speaks FastCGI, not HTTP: write "
		"listen, and let the web server connect to it"},
	{"chmod-socket", NULL, "write listen.mode, such as 0660"},
	{"chown-socket", NULL, "write listen.owner and listen.group"},
	{"processes", NULL, "write pm.max_children"},
	{"workers", NULL, "write pm.max_children"},
	{"cheaper", NULL, "write pm = dynamic and pm.min_spare_servers"},
	{"cheaper-initial", NULL, "write pm = dynamic and pm.start_servers"},
	{"cheaper-step", NULL, "write pm.max_spawn_rate"},
	{"idle", NULL, "write pm = ondemand and pm.process_idle_timeout"},
	{"max-requests", NULL, "write pm.max_requests"},
	{"reload-on-rss", NULL, "write pm.max_memory, such as 256M"},
	{"reload-on-as", NULL, "write pm.max_memory, such as 256M"},
	{"max-worker-lifetime", NULL, "write pm.max_age"},
	{"harakiri", NULL, "write request_terminate_timeout"},
	{"worker-reload-mercy", NULL, "write stop_timeout"},
	{"uid", NULL, "write user"},
	{"gid", NULL, "write group"},
	{"master", NULL, LEAVE_OUT ": fcgipm always starts workers"},
	{"vacuum", NULL, LEAVE_OUT ": the socket is always removed"},
	{"die-on-term", NULL, LEAVE_OUT ": SIGTERM always stops fcgipm"},
	{"logto", NULL, "write log in [fcgipm]"},
	{"pidfile", NULL, "write pid in [fcgipm]"},
	{"stats", NULL, "use fcgipmctl status"},
	{"virtualenv", NULL, "write the virtual environment's interpreter in "
		"the #! line of handler"},
	{"venv", NULL, "write the virtual environment's interpreter in the #! "
		"line of handler"},
	{"home", NULL, "write env[HOME], or the virtual environment's "
		"interpreter in the #! line of handler"},
	{"pythonpath", NULL, "write env[PYTHONPATH]"},
	{"enable-threads", NULL, "write threads"},
	{"buffer-size", NULL, LEAVE_OUT},
	/* supervisord */
	{"command", "handler", "write the program in handler and its arguments "
		"in handler_args"},
	{"numprocs", NULL, "write pm.max_children"},
	{"process_name", NULL, LEAVE_OUT ": the section's name is the pool's"},
	{"directory", NULL, "write chdir"},
	{"environment", NULL, "write one line for each variable, such as "
		"env[TZ] = UTC"},
	{"autostart", NULL, LEAVE_OUT ": every pool is started"},
	{"autorestart", NULL, LEAVE_OUT ": workers are always replaced"},
	{"startsecs", NULL, LEAVE_OUT},
	{"startretries", NULL, LEAVE_OUT ": a pool retries with back-off and "
		"never gives up"},
	{"stopsignal", NULL, "write stop_signal"},
	{"stopwaitsecs", NULL, "write stop_timeout"},
	{"stopasgroup", NULL, LEAVE_OUT},
	{"killasgroup", NULL, LEAVE_OUT},
	{"exitcodes", NULL, LEAVE_OUT},
	{"priority", NULL, "write process.priority for a nice value"},
	{"redirect_stderr", NULL, LEAVE_OUT ": output of workers is always "
		"logged"},
	{"stdout_logfile", NULL, "write log in [fcgipm]: output of workers is "
		"logged there"},
	{"stderr_logfile", NULL, "write log in [fcgipm]: output of workers is "
		"logged there"},
	{"stdout_logfile_maxbytes", NULL, "let logrotate(8) rotate the log"},
	{"stderr_logfile_maxbytes", NULL, "let logrotate(8) rotate the log"},
	{"socket_owner", NULL, "write listen.owner and listen.group"},
	{"socket_mode", NULL, "write listen.mode, such as 0660"},
	{"socket_backlog", NULL, "write listen.backlog"},
	{"logfile", NULL, "write log in [fcgipm]"},
	{"loglevel", NULL, "write log_level in [fcgipm]"},
	{"nodaemon", NULL, "start fcgipm with -D, or without it in the "
		"foreground"},
	{"minfds", NULL, "write rlimit_files in the pool"},
	{"files", NULL, "write include in [fcgipm]"},
	/* systemd */
	{"ExecStart", "handler", "write the program in handler and its "
		"arguments in handler_args"},
	{"ListenStream", "listen", "write listen"},
	{"SocketUser", NULL, "write listen.owner"},
	{"SocketGroup", NULL, "write listen.group"},
	{"SocketMode", NULL, "write listen.mode"},
	{"Backlog", NULL, "write listen.backlog"},
	{"User", NULL, "write user"},
	{"Group", NULL, "write group"},
	{"UMask", NULL, "write umask"},
	{"Nice", NULL, "write process.priority"},
	{"WorkingDirectory", NULL, "write chdir"},
	{"RootDirectory", NULL, "write chroot"},
	{"Environment", NULL, "write one line for each variable, such as "
		"env[TZ] = UTC"},
	{"EnvironmentFile", NULL, "write one line for each variable, such as "
		"env[TZ] = UTC; the file itself belongs in fcgipm's unit"},
	{"LimitNOFILE", NULL, "write rlimit_files"},
	{"LimitCORE", NULL, "write rlimit_core"},
	{"LimitAS", NULL, "write rlimit_as"},
	{"LimitNPROC", NULL, "write rlimit_nproc"},
	{"LimitCPU", NULL, "write rlimit_cpu"},
	{"LimitFSIZE", NULL, "write rlimit_fsize"},
	{"NoNewPrivileges", NULL, "write no_new_privs"},
	{"KillSignal", NULL, "write stop_signal"},
	{"TimeoutStopSec", NULL, "write stop_timeout"},
	{"Restart", NULL, LEAVE_OUT ": workers are always replaced"},
	{"RestartSec", NULL, LEAVE_OUT ": a pool retries with back-off"},
	{"Type", NULL, LEAVE_OUT ": it belongs in fcgipm's unit"},
	{"Description", NULL, LEAVE_OUT ", or write it as a comment"},
	{"StandardOutput", NULL, "write log in [fcgipm]"},
	{"StandardError", NULL, "write log in [fcgipm]"},
	/* Apache, lighttpd, nginx, spawn-fcgi, fcgiwrap */
	{"bin-path", "handler", "write handler"},
	{"bin-environment", NULL, "write one line for each variable, such as "
		"env[TZ] = UTC"},
	{"max-procs", NULL, "write pm.max_children"},
	{"idle-timeout", NULL, "write pm = ondemand and "
		"pm.process_idle_timeout"},
	{"fastcgi_pass", NULL, "it belongs in nginx's configuration; write "
		"the same address in listen"},
	{"root", NULL, "write docroot in a cgi pool, chdir or chroot"},
	{"document_root", NULL, "write docroot in a cgi pool"},
	{"DocumentRoot", NULL, "write docroot in a cgi pool"},
	{"index", NULL, "write cgi.index in a cgi pool"},
	/* several daemons */
	{"env", NULL, "write one line for each variable, such as "
		"env[TZ] = UTC"},
	{"port", "listen", "write listen = PORT"},
	{"address", "listen", "write listen"},
	{"bind", "listen", "write listen"},
	{"host", "listen", "write listen"},
	{"program", "handler", "write handler"},
	{"cmd", "handler", "write the program in handler and its arguments in "
		"handler_args"},
	{"exec", "handler", "write the program in handler and its arguments in "
		"handler_args"},
	{"path", "handler", "write the program in handler, or env[PATH]"},
	{"script", "handler", "write handler"},
	{"args", NULL, "write handler_args"},
	{"arguments", NULL, "write handler_args"},
	{"cwd", NULL, "write chdir"},
	{"nice", NULL, "write process.priority"},
	{"owner", NULL, "write listen.owner, or user"},
	{"timeout", NULL, "write request_terminate_timeout, queue_timeout or, "
		"in a cgi pool, cgi.idle_timeout"},
	{"max_execution_time", NULL, "write request_terminate_timeout"},
	{"children", NULL, "write pm.max_children"},
	{"daemon", NULL, "start fcgipm with -D, or without it in the "
		"foreground"},
	{"background", NULL, "start fcgipm with -D"},
	{"foreground", NULL, "start fcgipm without -D"},
	{"ssl", NULL, WEB_SERVER},
	{"tls", NULL, WEB_SERVER},
	{"server_name", NULL, WEB_SERVER},
	{"location", NULL, WEB_SERVER},
};

#define UNIT "this is a section of a systemd unit; write a section for each "  \
	"pool, such as [app]"

static const struct {
	const char *name, *hint;
} sections[] = {
	{"supervisord", "write [fcgipm]"},
	{"supervisor", "write [fcgipm]"},
	{"unix_http_server", "leave it out: fcgipmctl needs no section"},
	{"inet_http_server", "leave it out: fcgipmctl needs no section"},
	{"supervisorctl", "leave it out: fcgipmctl needs no section"},
	{"include", "write include = PATTERN in [fcgipm]"},
	{"Unit", UNIT},
	{"Service", UNIT},
	{"Socket", UNIT},
	{"Install", UNIT},
};

const struct habit *
habit_of_key(const char *key)
{
	size_t len = strcspn(key, "["), i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == len &&
			strncmp(keys[i].name, key, len) == 0)
			return &keys[i];
	/* Ignoring upper and lower case. */
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].name) == len &&
			strncasecmp(keys[i].name, key, len) == 0)
			return &keys[i];
	return NULL;
}

const char *
habit_of_section(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sections); i++)
		if (strcmp(sections[i].name, name) == 0)
			return sections[i].hint;
	return NULL;
}
