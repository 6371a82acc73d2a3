/*
 * test_address.c - tests every kind of address, and addresses that are in use
 */
#include <sys/un.h>

#include "world.h"

/* Serves a hello pool of each mode at an address and asks both. */
static void
check_served(const char *listen, const char *address)
{
	static const char *const modes[] = {"prefork", "cgi"};
	struct world *w = world_open();
	char at[100];
	int i;

	snprintf(at, sizeof(at), "%s", address);
	if (strchr(address, 0)[-1] == ':')
		snprintf(at, sizeof(at), "%s%d", address, w->port);
	for (i = 0; i < 2; i++) {
		world_start(w, own_text("[www]\n"
			"mode = %s\n"
			"listen = %s\n"
			"handler = @BIN@/handlers/hello\n", modes[i], listen));
		answer_expect(client_script(w, at, NULL, NULL), "Hello");
		world_stop(w);
		cr_expect_lt(client_try(w, at), 0, "%s still accepts", at);
	}
	world_close(&w);
}

Test(address, a_path_is_served, .timeout = 60)
{
	check_served("@DIR@/www.sock", "www.sock");
}

Test(address, a_path_with_the_prefix_of_nginx_is_served, .timeout = 60)
{
	check_served("unix:@DIR@/www.sock", "www.sock");
}

Test(address, a_relative_path_is_refused,
	.timeout = 60)
{
	struct world *w = world_open();

	cr_expect_eq(world_refused(w, "[www]\n"
		"listen = www.sock\n"
		"handler = @BIN@/handlers/hello\n"), 78);
	cr_expect(world_log_has(w, "begins with /"));
}

Test(address, ipv4_is_served, .timeout = 60)
{
	check_served("127.0.0.1:@PORT@", "127.0.0.1:");
}

Test(address, a_port_alone_is_served_on_ipv4_loopback, .timeout = 60)
{
	check_served("@PORT@", "127.0.0.1:");
}

static bool
have_ipv6(void)
{
	struct world w = {.dir = ""};
	int fd = client_try(&w, "[::1]:1");

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno == ECONNREFUSED;
}

Test(address, ipv6_is_served, .timeout = 60)
{
	if (!have_ipv6())
		cr_skip_test("this machine has no ::1");
	check_served("[::1]:@PORT@", "[::1]:");
}

Test(address, an_abstract_name_is_served, .timeout = 60)
{
	char name[64];

	world_need_user();
	snprintf(name, sizeof(name), "@fcgipm-t-%d", (int)getpid());
	check_served(name, name);
}

Test(address, a_cgi_pool_serves_several_kinds_at_once, .timeout = 60)
{
	struct world *w = world_open();

	world_start(w, "[www]\n"
		"mode = cgi\n"
		"listen = @DIR@/a.sock, 127.0.0.1:@PORT@, @DIR@/b.sock\n"
		"handler = @BIN@/handlers/hello\n");
	answer_expect(client_script(w, "a.sock", NULL, NULL), "Hello");
	answer_expect(client_script(w, w->tcp, NULL, NULL), "Hello");
	answer_expect(client_script(w, "b.sock", NULL, NULL), "Hello");
}

static const char hello[] =
	"[www]\n"
	"listen = @DIR@/www.sock\n"
	"handler = @BIN@/handlers/hello\n"
	"pm.max_children = 1\n";

/* Makes this test listen at www.sock. */
static int
listen_here(const struct world *w)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%.90s/www.sock", w->dir);
	cr_assert_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

Test(address, a_stale_socket_is_replaced, .timeout = 60)
{
	struct world *w = world_open();

	close(listen_here(w));
	cr_assert_eq(access(world_path(w, "www.sock"), F_OK), 0);
	world_start(w, hello);
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
}

Test(address, a_socket_in_use_is_refused_and_its_process_named, .timeout = 60)
{
	struct world *w = world_open();
	int fd = listen_here(w);
	int64_t begin = world_now_ms();
	struct stat before, after;
	char want[64];

	cr_assert_eq(stat(world_path(w, "www.sock"), &before), 0);
	cr_expect_eq(world_refused(w, hello), 71);
	cr_expect_geq(world_now_ms() - begin, 950,
		"its process has a second to exit");
	snprintf(want, sizeof(want), "(PID %d)", (int)getpid());
	cr_expect(world_log_has(w, "www.sock is in use by "));
	cr_expect(world_log_has(w, want), "%s: %s", want, world_log(w));
	cr_assert_eq(stat(world_path(w, "www.sock"), &after), 0);
	cr_expect_eq(before.st_ino, after.st_ino, "it was replaced");
	close(fd);
	unlink(world_path(w, "www.sock"));
}

/* Connecting to it fails with EAGAIN. */
Test(address, a_socket_in_use_with_a_full_queue_is_refused, .timeout = 60)
{
	struct world *w = world_open();
	int fd = listen_here(w), queued[4], i;

	for (i = 0; i < 4; i++) {
		struct sockaddr_un un = {.sun_family = AF_UNIX};

		queued[i] = socket(AF_UNIX,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		snprintf(un.sun_path, sizeof(un.sun_path), "%.90s/www.sock",
			w->dir);
		if (connect(queued[i], (struct sockaddr *)&un, sizeof(un)) < 0)
			cr_assert_eq(errno, EAGAIN);
	}
	cr_expect_eq(world_refused(w, hello), 71);
	cr_expect(world_log_has(w, "in use"));
	for (i = 0; i < 4; i++)
		close(queued[i]);
	close(fd);
	unlink(world_path(w, "www.sock"));
}

/* Its process exits while fcgipm waits. */
Test(address, a_socket_whose_process_exits_is_replaced, .timeout = 60)
{
	struct world *w = world_open();
	int fd = listen_here(w), i;

	world_launch(w, hello);
	/* fcgipm has tried once it has connected. */
	i = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(i, 0);
	close(i);
	close(fd);
	world_expect_log(w, "ready: ");
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
}

Test(address, a_port_in_use_is_refused_and_its_process_named, .timeout = 60)
{
	static const char ini[] =
		"[www]\n"
		"listen = @PORT@\n"
		"handler = @BIN@/handlers/hello\n"
		"pm.max_children = 1\n";
	struct world *w = world_open(), other;

	world_start(w, ini);
	other = *w;
	other.pid = 0;
	snprintf(other.log, sizeof(other.log), "%s/log2", w->dir);
	cr_expect_eq(world_refused(&other, ini), 71);
	/* A process that shares its memory with a child of another user hides
	 * its descriptors even from root. */
	cr_expect(world_log_has(&other, " is in use by fcgipm (PID") ||
			world_log_has(&other, " is in use by hello (PID") ||
			(world_is_blind() && world_log_has(&other,
				" is in use by another process")),
		"its process is named");
	answer_expect(client_script(w, w->tcp, NULL, NULL), "Hello");
}

Test(address, an_address_that_cannot_be_bound_gets_a_remedy, .timeout = 60)
{
	static const char *const cases[][2] = {
		{"@DIR@/none/www.sock", "bind: No such file or directory; "
			"create its directory"},
		{"192.0.2.1:18999\nlisten.allowed_clients = 192.0.2.2",
			"; choose an address of this host"},
	};
	struct world *w = world_open();

	/* Other users may not use BPF, which the last one needs. */
	for (size_t i = 0; i < (geteuid() == 0 ? 2 : 1); i++) {
		cr_expect_eq(world_refused(w, own_text("[www]\nlisten = %s\n"
			"handler = @BIN@/handlers/hello\n", cases[i][0])), 71);
		cr_expect(world_log_has(w, cases[i][1]), "%s", cases[i][0]);
	}
}

Test(address, a_file_that_is_not_a_socket_is_not_removed, .timeout = 60)
{
	struct world *w = world_open();
	char text[16] = "";
	FILE *f;

	world_write(w, "www.sock", "precious\n");
	cr_expect_eq(world_refused(w, hello), 71);
	cr_expect(world_log_has(w, "www.sock exists and is not a socket"));
	f = fopen(world_path(w, "www.sock"), "re");
	cr_assert_not_null(f);
	cr_expect_not_null(fgets(text, sizeof(text), f));
	cr_expect_str_eq(text, "precious\n");
	fclose(f);
	unlink(world_path(w, "www.sock"));
	/* A symbolic link is not followed either. */
	world_write(w, "target", "precious\n");
	cr_assert_eq(symlink("target", world_path(w, "www.sock")), 0);
	cr_expect_eq(world_refused(w, hello), 71);
	cr_expect_eq(access(world_path(w, "target"), F_OK), 0);
	cr_expect_eq(mkdir(world_path(w, "dir"), 0755), 0);
	unlink(world_path(w, "www.sock"));
	cr_assert_eq(rename(world_path(w, "dir"), world_path(w, "www.sock")),
		0);
	cr_expect_eq(world_refused(w, hello), 71);
	cr_expect_eq(rmdir(world_path(w, "www.sock")), 0);
}

/* Another process replaced the path while fcgipm served. */
Test(address, a_socket_of_another_process_is_not_removed_on_shutdown,
	.timeout = 60)
{
	struct world *w = world_open();
	int fd;

	world_start(w, hello);
	cr_assert_eq(unlink(world_path(w, "www.sock")), 0);
	fd = listen_here(w);
	world_stop(w);
	cr_expect_eq(access(world_path(w, "www.sock"), F_OK), 0);
	close(fd);
	unlink(world_path(w, "www.sock"));
}

Test(address, a_second_daemon_does_not_disturb_the_first, .timeout = 60)
{
	struct world *w = world_open(), other;

	world_start(w, hello);
	other = *w;
	other.pid = 0;
	snprintf(other.log, sizeof(other.log), "%s/log2", w->dir);
	cr_expect_eq(world_refused(&other, hello), 71);
	cr_expect(world_log_has(&other, "www.sock is in use by fcgipm "
		"(PID"));
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
}

/* The second pool's address is in use: the first one's socket is removed. */
Test(address, no_pool_is_started_when_one_address_fails, .timeout = 60)
{
	struct world *w = world_open();

	world_write(w, "b.sock", "no socket\n");
	cr_expect_eq(world_refused(w,
		"[a]\n"
		"listen = @DIR@/a.sock\n"
		"handler = @BIN@/handlers/hello\n"
		"[b]\n"
		"listen = @DIR@/b.sock\n"
		"handler = @BIN@/handlers/hello\n"), 71);
	cr_expect_neq(access(world_path(w, "a.sock"), F_OK), 0);
}

Test(address, a_socket_has_the_configured_mode, .timeout = 60)
{
	static const struct {
		const char *key;
		unsigned mode;
	} rows[] = {{"", 0660}, {"listen.mode = 0600\n", 0600},
		{"listen.mode = 0666\n", 0666}, {"listen.mode = 0\n", 0}};
	struct world *w = world_open();
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world_start(w, own_text("%s%s", hello, rows[i].key));
		cr_assert_eq(stat(world_path(w, "www.sock"), &st), 0);
		cr_expect(S_ISSOCK(st.st_mode));
		cr_expect_eq(st.st_mode & 07777, rows[i].mode, "%s: %o",
			rows[i].key, st.st_mode);
		world_stop(w);
	}
}

/* sun_path has room for 107 bytes; the temporary name has to fit, too. */
Test(address, the_longest_path_is_served, .timeout = 60)
{
	struct world *w = world_open();
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	size_t len;
	int fd;

	len = (size_t)snprintf(un.sun_path, sizeof(un.sun_path), "%s/",
		w->dir);
	memset(un.sun_path + len, 's', sizeof(un.sun_path) - 1 - len);
	world_start(w, own_text("[www]\nlisten = %.107s\n"
		"handler = @BIN@/handlers/hello\n", un.sun_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(fd, 0);
	cr_expect_eq(connect(fd, (struct sockaddr *)&un, sizeof(un)), 0);
}
