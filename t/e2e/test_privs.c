/*
 * test_privs.c - user, limits and environment of workers and CGI programs, and
 * the allowed clients of a pool
 */
#include <arpa/inet.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/resource.h>

#include "world.h"

/* Prints facts about its process: to stderr as a prefork worker, as its answer
 * in CGI mode. */
static const char report[] =
	"#!/bin/sh\n"
	"report() {\n"
	"	sed -n 's/^\\([UG]id\\|Groups\\|NoNewPrivs\\|SigBlk\\|SigIgn"
		"\\):\\t*/\\1: /p' /proc/self/status\n"
	"	echo \"umask: $(umask)\"\n"
	"	echo \"nice: $(cut -d' ' -f19 /proc/self/stat)\"\n"
	"	sed -n 's/  */ /gp' /proc/self/limits\n"
	"	echo \"cwd: $(pwd)\"\n"
	"	env | sed 's/^/env: /'\n"
	"	ls -l /proc/self/fd | "
		"sed -n 's/.* \\([0-9]*\\) -> /fd: \\1 /p'\n"
	"	echo complete\n"
	"}\n";

static const char as_prefork[] = "report >&2\nexec ./hello\n";
static const char as_cgi[] =
	"printf 'Content-Type: text/plain\\r\\n\\r\\n'\nreport\n";

/*
 * Starts a pool of that mode with these keys and returns its report: one fact a
 * line.
 */
static char *
get_report(struct world *w, const char *mode, const char *keys)
{
	bool cgi = strcmp(mode, "cgi") == 0;
	char *log;
	struct answer a;

	world_script(w, "handler", own_text("%s%s", report,
		cgi ? as_cgi : as_prefork));
	/* The worker's user may not have access to the source tree. */
	world_shell(w, "cp -f @BIN@/handlers/hello @DIR@/hello\n"
		"chmod 755 @DIR@/hello\n");
	world_start(w, own_text("[www]\n"
		"mode = %s\n"
		"listen = @DIR@/www.sock\n"
		"handler = @DIR@/handler\n"
		"pm.max_children = 1\n%s", mode, keys));
	if (!cgi) {
		world_expect_log(w, "says: complete");
		log = world_log(w);
	} else {
		a = client_script(w, "www.sock", NULL, NULL);
		answer_expect(a, "complete\n");
		log = a.out;
	}
	world_stop(w);
	return log;
}

static void
expect_fact(const char *text, const char *fact, const char *mode)
{
	cr_expect(strstr(text,
		own_text("%s\n", fact)), "%s: no \"%s\" in:\n%s", mode, fact,
		text);
}

static void
expect_no_fact(const char *text, const char *fact, const char *mode)
{
	cr_expect_not(strstr(text, fact), "%s: \"%s\" in:\n%s", mode, fact,
		text);
}

/* Starts both modes with the same keys; each report must hold each fact. */
static void
check_facts(const char *keys, const char *const *facts)
{
	static const char *const modes[] = {"prefork", "cgi"};
	struct world *w = world_open();

	for (size_t i = 0; i < 2; i++) {
		char *text = get_report(w, modes[i], keys);
		const char *const *fact;

		for (fact = facts; *fact; fact++)
			expect_fact(text, *fact, modes[i]);
	}
	world_close(&w);
}

#define FACTS(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(privs, applies_user_and_group_irreversibly, .timeout = 60)
{
	static const gid_t caller_groups[] = {0, 4, 24, 27};

	world_need_root();
	/* Supplementary groups that must not be inherited. */
	cr_assert_eq(setgroups(4, caller_groups), 0);
	check_facts("user = 65534\ngroup = 65534\n",
		FACTS("Uid: 65534\t65534\t65534\t65534",
			"Gid: 65534\t65534\t65534\t65534", "Groups: 65534 ",
			"NoNewPrivs: 1"));
	check_facts("user = 12345\ngroup = 54321\n",
		FACTS("Uid: 12345\t12345\t12345\t12345",
			"Gid: 54321\t54321\t54321\t54321", "Groups: 54321 "));
}

Test(privs, a_user_gets_its_login_group_and_home, .timeout = 60)
{
	world_need_root();
	check_facts("user = daemon\n",
		FACTS("Uid: 1\t1\t1\t1", "Gid: 1\t1\t1\t1", "Groups: 1 ",
			"env: USER=daemon", "env: HOME=/usr/sbin"));
}

/* The expected groups come from getgrouplist(3). */
Test(privs, applies_the_users_supplementary_groups, .timeout = 60)
{
	struct group *gr = NULL;
	char keys[100], fact[500] = "Groups: ";
	gid_t groups[32], gid;
	int n = 32, i, j;

	world_need_root();
	/* The groups come from the user, not from the caller. */
	cr_assert_eq(setgroups(0, NULL), 0);
	setgrent();
	while ((gr = getgrent()) != NULL && !gr->gr_mem[0])
		;
	if (!gr) {
		endgrent();
		cr_skip_test("no user here has supplementary groups");
	}
	snprintf(keys, sizeof(keys), "user = %s\n", gr->gr_mem[0]);
	cr_assert_not_null(getpwnam(gr->gr_mem[0]));
	gid = getpwnam(gr->gr_mem[0])->pw_gid;
	cr_assert_geq(getgrouplist(gr->gr_mem[0], gid, groups, &n), 0);
	endgrent();
	/* The kernel reports them in ascending order. */
	for (i = 0; i < n; i++)
		for (j = i + 1; j < n; j++)
			if (groups[j] < groups[i]) {
				gid = groups[i];
				groups[i] = groups[j];
				groups[j] = gid;
			}
	for (i = 0; i < n; i++)
		snprintf(fact + strlen(fact), sizeof(fact) - strlen(fact),
			"%u ", (unsigned)groups[i]);
	check_facts(keys, FACTS(fact));
}

Test(privs, nothing_changes_without_keys, .timeout = 60)
{
	const char *user = world_pool_user();
	uid_t id = user ? (uid_t)atoi(user) : getuid();
	char uid[100], nice[20];

	snprintf(uid, sizeof(uid), "Uid: %u\t%u\t%u\t%u", id, id, id, id);
	/* The tests may run with another priority. */
	snprintf(nice, sizeof(nice), "nice: %d", getpriority(PRIO_PROCESS, 0));
	check_facts("", FACTS(uid, "umask: 0022", nice, "NoNewPrivs: 1",
		"SigBlk: 0000000000000000", "SigIgn: 0000000000000000"));
}

/* A priority value that is higher by so much.  Without privileges a process
 * cannot lower the value. */
static int
nicer(int by)
{
	int nice = getpriority(PRIO_PROCESS, 0) + by;

	return nice < 19 ? nice : 19;
}

Test(privs, applies_umask_priority_and_no_new_privs, .timeout = 60)
{
	int more = nicer(5);
	char keys[100], nice[20];

	snprintf(keys, sizeof(keys), "umask = 0027\n"
		"process.priority = %d\nno_new_privs = no\n", more);
	snprintf(nice, sizeof(nice), "nice: %d", more);
	check_facts(keys, FACTS("umask: 0027", nice, "NoNewPrivs: 0"));
}

/* In CGI mode a limit is set in the program's process, after the gateway has
 * given up root. */
Test(privs, root_may_raise_priority, .timeout = 60)
{
	int own = getpriority(PRIO_PROCESS, 0);

	world_need_root();
	if (setpriority(PRIO_PROCESS, 0, -3) < 0)
		cr_skip_test("this root lacks CAP_SYS_NICE");
	cr_assert_eq(setpriority(PRIO_PROCESS, 0, own), 0);
	check_facts("process.priority = -3\nuser = 65534\ngroup = 65534\n",
		FACTS("nice: -3", "Uid: 65534\t65534\t65534\t65534"));
}

Test(privs, root_may_raise_limits, .timeout = 60)
{
	struct rlimit low = {1000, 1000}, high = {2 << 20, 2 << 20};

	world_need_root();
	cr_assert_eq(setrlimit(RLIMIT_CORE, &low), 0);
	if (setrlimit(RLIMIT_CORE, &high) < 0)
		cr_skip_test("this root lacks CAP_SYS_RESOURCE");
	cr_assert_eq(setrlimit(RLIMIT_CORE, &low), 0);
	check_facts("rlimit_core = 2M\nuser = 65534\ngroup = 65534\n",
		FACTS("Max core file size 2097152 2097152 bytes "));
}

Test(privs, applies_limits, .timeout = 60)
{
	check_facts("rlimit_files = 77\n"
		"rlimit_core = 0\n"
		"rlimit_as = 3G\n"
		"rlimit_nproc = 1234\n"
		"rlimit_cpu = 55\n"
		"rlimit_fsize = 5M\n",
		FACTS("Max open files 77 77 files ",
			"Max core file size 0 0 bytes ",
			"Max address space 3221225472 3221225472 bytes ",
			"Max processes 1234 1234 processes ",
			"Max cpu time 55 55 seconds ",
			"Max file size 5242880 5242880 bytes "));
}

/* The daemon raises its own limit; select(2) in a handler fails above 1024. */
Test(privs, restores_the_callers_soft_limit_of_open_files, .timeout = 60)
{
	struct rlimit lim;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = 333;
	lim.rlim_max = lim.rlim_max < 4000 ? lim.rlim_max : 4000;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	check_facts("", FACTS(own_text("Max open files 333 %lu files ",
		(unsigned long)lim.rlim_max)));
}

static bool
limit_is_raised(pid_t pid)
{
	char line[200];
	bool raised = false;
	FILE *f;

	f = fopen(own_text("/proc/%d/limits", (int)pid), "re");
	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f)) {
		unsigned long soft, hard;

		if (sscanf(line, "Max open files %lu %lu", &soft, &hard) == 2)
			raised = soft == hard && soft > 333;
	}
	fclose(f);
	return raised;
}

Test(privs, the_daemons_own_limit_of_open_files_is_raised, .timeout = 60)
{
	struct world *w = world_open();
	struct rlimit lim;
	pid_t gateway;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	lim.rlim_cur = 333;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	world_start(w, "[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n");
	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	cr_expect(limit_is_raised(w->pid));
	cr_expect(limit_is_raised(gateway));
}

/* A line of /proc/PID/limits with its blanks; "" when there is none. */
static const char *
limit_line(pid_t pid, const char *name)
{
	static char line[2][200];
	static unsigned at;
	char path[64], *found = line[at++ % 2];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	while (fgets(found, sizeof(line[0]), f) &&
		strncmp(found, name, strlen(name)) != 0)
		found[0] = '\0';
	fclose(f);
	return found;
}

/* The limits of a program must not apply to the gateway that starts all of
 * them. */
Test(privs, the_gateway_keeps_its_own_limits, .timeout = 60)
{
	static const char *const names[] = {"Max cpu time", "Max file size",
		"Max core file size", "Max processes", "Max address space"};
	struct world *w = world_open();
	char priority[100];
	pid_t gateway;

	snprintf(priority, sizeof(priority), "process.priority = %d\n",
		nicer(7));
	world_start_cgi(w, priority, "handler = @BIN@/handlers/hello\n"
		"rlimit_files = 20\n"
		"rlimit_core = 1\n"
		"rlimit_as = 3G\n"
		"rlimit_nproc = 1234\n"
		"rlimit_cpu = 55\n"
		"rlimit_fsize = 5M\n"
		"umask = 0077\n");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *want = limit_line(getpid(), names[i]);

		cr_expect_str_eq(limit_line(gateway, names[i]), want);
		cr_expect_str_neq(want, "");
	}
	cr_expect_str_eq(world_proc_status(gateway, "Umask"), own_text("%s",
		world_proc_status(w->pid, "Umask")));
	cr_expect_eq(getpriority(PRIO_PROCESS, (id_t)gateway),
		getpriority(PRIO_PROCESS, 0));
}

Test(privs, the_environment_holds_only_configured_variables, .timeout = 60)
{
	static const char *const modes[] = {"prefork", "cgi"};
	struct world *w = world_open();

	cr_assert_eq(setenv("SECRET_", "of the caller", 1), 0);
	cr_assert_eq(setenv("NOTIFY_SOCKET", "/nowhere", 1), 0);
	for (size_t i = 0; i < 2; i++) {
		char *text = get_report(w, modes[i],
			"env[ONE] = 1 and more\n"
			"env[PATH] = /bin:/usr/bin:/opt/bin\n"
			"env[FROM] = ${SECRET_}\n");

		expect_fact(text, "env: ONE=1 and more", modes[i]);
		expect_fact(text, "env: PATH=/bin:/usr/bin:/opt/bin",
			modes[i]);
		expect_fact(text, "env: FROM=of the caller", modes[i]);
		expect_fact(text, "env: FCGIPM_POOL=www", modes[i]);
		expect_no_fact(text, "env: SECRET_", modes[i]);
		expect_no_fact(text, "env: NOTIFY_SOCKET", modes[i]);
		text = get_report(w, modes[i], "");
		expect_fact(text, "env: PATH=/usr/local/bin:/usr/bin:/bin",
			modes[i]);
	}
}

Test(privs, clear_env_no_passes_the_environment, .timeout = 60)
{
	struct world *w = world_open();
	char *text;

	cr_assert_eq(setenv("SECRET_", "of the caller", 1), 0);
	text = get_report(w, "prefork", "clear_env = no\n");
	expect_fact(text, "env: SECRET_=of the caller", "prefork");
	expect_fact(text, "env: FCGIPM_POOL=www", "prefork");
}

/* Values may be secrets: they must not be in a place that any user can read. */
Test(privs, values_of_variables_are_not_on_a_command_line, .timeout = 60)
{
	struct world *w = world_open();
	char path[64], line[4096];
	pid_t gateway;
	ssize_t n;
	int fd;

	world_start(w, "[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"handler = @BIN@/handlers/hello\n"
		"env[PASSWORD] = opensesame\n");
	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)gateway);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	n = read(fd, line, sizeof(line));
	close(fd);
	cr_assert_gt(n, 0);
	cr_expect(memmem(line, (size_t)n, "PASSWORD", 8));
	cr_expect_not(memmem(line, (size_t)n, "opensesame", 10));
}

Test(privs, a_worker_starts_in_its_handlers_directory_or_in_chdir,
	.timeout = 60)
{
	struct world *w = world_open();
	char fact[300], *text;

	snprintf(fact, sizeof(fact), "cwd: %s", w->dir);
	text = get_report(w, "prefork", "");
	expect_fact(text, fact, "prefork");
	text = get_report(w, "cgi", "");
	expect_fact(text, fact, "cgi");
	world_start_www(w, "handler = @BIN@/handlers/whoami\n"
		"chdir = /usr\n");
	{
		answer_expect(client_script(w, "www.sock", NULL, NULL),
			"cwd: /usr\n");
	}
}

/* A root directory with a handler and the libraries it needs, nothing else. */
static const char make_root[] =
	"mkdir -p root/bin root/proc\n"
	"cp @BIN@/handlers/whoami @BIN@/handlers/hello root/bin\n"
	"for lib in $(ldd root/bin/whoami | grep -o '/[^ ]*'); do\n"
	"	mkdir -p root$(dirname $lib)\n"
	"	cp -L $lib root$lib\n"
	"done\n"
	"chmod -R a+rX root\n";

Test(privs, both_modes_run_in_a_chroot, .timeout = 60)
{
	struct world *w;
	struct answer a;

	world_need_root();
	w = world_open();
	world_shell(w, make_root);
	world_start(w,
		"[pre]\n"
		"listen = @DIR@/pre.sock\n"
		"handler = /bin/whoami\n"
		"chroot = @DIR@/root\n"
		"user = 65534\n"
		"group = 65534\n"
		"[cgi]\n"
		"mode = cgi\n"
		"listen = @DIR@/cgi.sock\n"
		"docroot = /bin\n"
		"chroot = @DIR@/root\n"
		"user = 65534\n"
		"group = 65534\n");
	a = client_script(w, "pre.sock", NULL, NULL);
	answer_expect(a, "cwd: /bin\n");
	answer_expect(a, "uid: 65534\n");
	a = client_script(w, "cgi.sock", "/bin/whoami", NULL);
	answer_expect(a, "cwd: /bin\n");
	answer_expect(a, "uid: 65534\n");
}

/* The gateway gives up root before it accepts a connection. */
Test(privs, the_gateway_of_another_user_gives_up_root, .timeout = 60)
{
	struct world *w;
	pid_t gateway;

	world_need_root();
	w = world_open();
	world_shell(w, "cp @BIN@/handlers/hello @DIR@/hello\n"
		"chmod 755 @DIR@/hello\n");
	world_start(w, "[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/www.sock\n"
		"handler = @DIR@/hello\n"
		"user = 65534\n"
		"group = 65534\n");
	cr_assert_eq(world_children(w->pid, &gateway, 1), 1);
	cr_expect_str_eq(world_proc_status(gateway, "Uid"),
		"65534\t65534\t65534\t65534");
	cr_expect_str_eq(world_proc_status(gateway, "Gid"),
		"65534\t65534\t65534\t65534");
	cr_expect_str_eq(world_proc_status(gateway, "CapEff"),
		"0000000000000000");
	cr_expect_str_eq(world_proc_status(gateway, "NoNewPrivs"), "1");
}

Test(privs, a_socket_has_the_configured_owner, .timeout = 60)
{
	struct world *w;
	struct stat st;

	world_need_root();
	w = world_open();
	world_shell(w, "cp @BIN@/handlers/hello @DIR@/hello\n"
		"chmod 755 @DIR@/hello\n");
	world_start(w,
		"[a]\n"
		"listen = @DIR@/a.sock\n"
		"handler = @DIR@/hello\n"
		"user = 65534\n"
		"group = 65534\n"
		"[b]\n"
		"listen = @DIR@/b.sock\n"
		"listen.owner = 12345\n"
		"listen.group = 54321\n"
		"handler = @DIR@/hello\n"
		"[c]\n"
		"listen = @DIR@/c.sock\n"
		"listen.group = 54321\n"
		"handler = @DIR@/hello\n"
		"user = 65534\n"
		"group = 65534\n");
	cr_assert_eq(stat(world_path(w, "c.sock"), &st), 0);
	cr_expect(st.st_uid == 65534 && st.st_gid == 54321,
		"the user of the pool, the group of the key");
	cr_assert_eq(stat(world_path(w, "a.sock"), &st), 0);
	cr_expect(st.st_uid == 65534 && st.st_gid == 65534, "the pool's user");
	cr_assert_eq(stat(world_path(w, "b.sock"), &st), 0);
	cr_expect(st.st_uid == 12345 && st.st_gid == 54321, "the keys");
}

/* Connects from a local address; -1 when the connection fails. */
static int
connect_from(const char *source, int port)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct pollfd p = {.events = POLLOUT};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(inet_pton(AF_INET, source, &in.sin_addr), 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	cr_assert_eq(inet_pton(AF_INET, "127.0.0.1", &in.sin_addr), 1);
	in.sin_port = htons((uint16_t)port);
	(void)!connect(fd, (struct sockaddr *)&in, sizeof(in));
	p.fd = fd;
	/* Packets from other addresses are dropped without an answer, so a
	 * connection that is still pending by then counts as refused. */
	if (poll(&p, 1, 1500) == 1 && !(p.revents & (POLLERR | POLLHUP))) {
		cr_assert_eq(fcntl(fd, F_SETFL, 0), 0);
		return fd;
	}
	close(fd);
	return -1;
}

static void
check_clients(const char *mode, const char *allowed, bool one, bool two)
{
	static const char *const params[] = {"SCRIPT_NAME=/x", NULL};
	const char *sources[] = {"127.0.0.1", "127.0.0.2"};
	const bool want[] = {one, two};
	struct world *w = world_open();
	int i, fd;

	world_start(w, own_text("[www]\n"
		"mode = %s\n"
		"listen = 127.0.0.1:@PORT@\n"
		"listen.allowed_clients = %s\n"
		"handler = @BIN@/handlers/hello\n", mode, allowed));
	for (i = 0; i < 2; i++) {
		fd = connect_from(sources[i], w->port);
		cr_expect_eq(fd >= 0, want[i], "%s, %s from %s", mode,
			allowed, sources[i]);
		if (fd >= 0) {
			client_ask(fd, 0, params);
			answer_expect(client_read(fd), "Hello");
			close(fd);
		}
	}
	world_close(&w);
}

Test(privs, only_allowed_clients_connect, .timeout = 60)
{
	world_need_filter();
	check_clients("prefork", "127.0.0.2", false, true);
	check_clients("cgi", "127.0.0.1", true, false);
	check_clients("prefork", "10.0.0.0/8, 127.0.0.0/30", true, true);
	check_clients("cgi", "10.0.0.0/8, 127.0.0.0/31", true, false);
}
