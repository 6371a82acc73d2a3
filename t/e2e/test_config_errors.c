/*
 * test_config_errors.c - tests that a wrong configuration is refused, with a
 * message for each error
 */
#include "world.h"

/* Runs fcgipm on fcgipm.ini; expects an exit status and a text. */
static void
expect_config(struct world *w, int status, const char *want, const char *why)
{
	char *ini = world_path(w, "fcgipm.ini"), *out;
	const char *argv[] = {"fcgipm", "-c", ini, NULL};
	int code = world_run(w, argv, &out);

	cr_expect_eq(code, status, "%s: exit status %d, not %d:\n%s", why,
		code, status, out);
	cr_expect(strstr(out, want), "%s: no \"%s\" in:\n%s", why, want, out);
}

#define LISTEN "listen = @DIR@/www.sock\n"
#define HANDLER "handler = @BIN@/handlers/hello\n"

static const struct {
	const char *why, *ini, *want;
} rows[] = {
	{"empty file", "", "no pool"},
	{"unknown key", "[www]\n" LISTEN HANDLER "wrkers = 3\n",
		"fcgipm.ini:4: error: [www] wrkers: no such key"},
	{"near miss", "[www]\n" LISTEN HANDLER "max_children = 3\n",
		"fcgipm.ini:4: error: [www] max_children: no such key; did you "
		"mean "
		"pm.max_children?"},
	{"key of PHP-FPM", "[www]\n" LISTEN HANDLER "access.log = x\n",
		"fcgipm.ini:4: error: [www] access.log"},
	{"[global]", "[global]\npid = x\n[www]\n" LISTEN HANDLER,
		"fcgipm.ini:1: error: [global]"},
	{"no such pm", "[www]\n" LISTEN HANDLER "pm = adaptive\n",
		"fcgipm.ini:4: error: [www] pm"},
	{"wrong type", "[www]\n" LISTEN HANDLER "pm.max_children = many\n",
		"fcgipm.ini:4: error: [www] pm.max_children: write a whole "
		"number"},
	{"trailing text", "[www]\n" LISTEN HANDLER "pm.max_children = 3x\n",
		"fcgipm.ini:4: error: [www] pm.max_children"},
	{"zero", "[www]\n" LISTEN HANDLER "pm.max_children = 0\n",
		"fcgipm.ini:4: error: [www] pm.max_children: 0 is out of "
		"range; write 1 to 100000"},
	{"negative", "[www]\n" LISTEN HANDLER "pm.max_children = -1\n",
		"fcgipm.ini:4: error: [www] pm.max_children"},
	{"overflow", "[www]\n" LISTEN HANDLER
		"pm.max_children = 99999999999999999999999\n",
		"fcgipm.ini:4: error: [www] pm.max_children"},
	{"overflow of 32 bits", "[www]\n" LISTEN HANDLER
		"pm.max_children = 4294967297\n",
		"fcgipm.ini:4: error: [www] pm.max_children: 4294967297 is "
		"out of range"},
	{"overflow of a unit", "[www]\nmode = cgi\n" LISTEN HANDLER
		"cgi.max_body = 99999999999G\n",
		"fcgipm.ini:5: error: [www] cgi.max_body"},
	{"bad time", "[www]\n" LISTEN HANDLER "stop_timeout = 5 parsecs\n",
		"fcgipm.ini:4: error: [www] stop_timeout"},
	{"bad octal", "[www]\n" LISTEN HANDLER "umask = 0999\n",
		"fcgipm.ini:4: error: [www] umask: write an octal number"},
	{"bad boolean", "[www]\n" LISTEN HANDLER "clear_env = perhaps\n",
		"fcgipm.ini:4: error: [www] clear_env: write yes or no"},
	{"bad signal", "[www]\n" LISTEN HANDLER "stop_signal = NONE\n",
		"fcgipm.ini:4: error: [www] stop_signal"},
	{"duplicate key", "[www]\n" LISTEN HANDLER "threads = 1\nthreads = 2\n",
		"fcgipm.ini:5: error: [www] threads: already set in"},
	{"duplicate pool", "[www]\n" LISTEN HANDLER
		"[b]\nlisten = 18999\n" HANDLER "[www]\n" LISTEN HANDLER,
		"fcgipm.ini:7: error: [www]"},
	{"key above every section", "threads = 2\n[www]\n" LISTEN HANDLER,
		"fcgipm.ini:1: error: threads"},
	{"two pools on one address", "[a]\nlisten = 18999\n" HANDLER
		"[b]\nlisten = 127.0.0.1:18999\n" HANDLER,
		"fcgipm.ini:5: error: [b] listen: 127.0.0.1:18999 is already "
		"the "
		"address of pool a"},
	{"one address twice", "[a]\nmode = cgi\nlisten = 18999, 18999\n"
		HANDLER,
		"fcgipm.ini:3: error: [a] listen: 127.0.0.1:18999 is already "
		"the"},
	{"several addresses", "[www]\nlisten = 18998, 18999\n" HANDLER,
		"fcgipm.ini:2: error: [www] listen: write one address"},
	{"no address", "[www]\n" HANDLER, "fcgipm.ini:1: error: [www] listen"},
	{"bad address", "[www]\nlisten = www.sock:\n" HANDLER,
		"fcgipm.ini:2: error: [www] listen"},
	{"open to the network", "[www]\nlisten = 0.0.0.0:18999\n" HANDLER,
		"fcgipm.ini:2: error: [www] listen: 0.0.0.0:18999 is open to "
		"the "
		"network"},
	{"bad network", "[www]\nlisten = 18999\n" HANDLER
		"listen.allowed_clients = 10.0.0.1/8\n",
		"fcgipm.ini:4: error: [www] listen.allowed_clients"},
	{"no handler", "[www]\n" LISTEN, "fcgipm.ini:1: error: [www] handler"},
	{"no handler, no docroot", "[www]\nmode = cgi\n" LISTEN,
		"[www] handler"},
	{"missing handler", "[www]\n" LISTEN "handler = /no/such/file\n",
		"fcgipm.ini:3: error: [www] handler: /no/such/file: "
		"directory /no does not exist; "},
	{"handler is a directory", "[www]\n" LISTEN "handler = @DIR@\n",
		"is a directory"},
	{"handler may not be executed", "[www]\n" LISTEN
		"handler = @DIR@/fcgipm.ini\n",
		"fcgipm.ini is not executable; chmod +x /"},
	{"missing docroot", "[www]\nmode = cgi\n" LISTEN
		"docroot = /no/such/directory\n",
		"fcgipm.ini:4: error: [www] docroot: /no/such/directory: "
		"directory /no does not exist"},
	{"unknown user", "[www]\n" LISTEN HANDLER "user = nosuchuser_\n",
		"fcgipm.ini:4: error: [www] user"},
	{"unknown group", "[www]\n" LISTEN HANDLER "group = nosuchgroup_\n",
		"fcgipm.ini:4: error: [www] group"},
	{"cgi key in a prefork pool", "[www]\n" LISTEN HANDLER
		"cgi.linger = 1s\n",
		"fcgipm.ini:4: error: [www] cgi.linger: only for mode = cgi"},
	{"prefork key in a cgi pool", "[www]\nmode = cgi\n" LISTEN HANDLER
		"threads = 2\n",
		"fcgipm.ini:5: error: [www] threads: only for mode = prefork"},
	{"no = in the line", "[www]\n" LISTEN HANDLER "threads 2\n",
		"fcgipm.ini:4"},
	{"section without end", "[www\n" LISTEN HANDLER, "fcgipm.ini:1"},
	{"missing include", "[fcgipm]\ninclude = @DIR@/more.ini\n",
		"fcgipm.ini:2: error: [fcgipm] include: "},
	{"circular include", "[fcgipm]\ninclude = @DIR@/fcgipm.ini\n",
		"include each other"},
	{"unset variable", "[www]\n" LISTEN "handler = ${NO_SUCH_VAR_}/x\n",
		"fcgipm.ini:3: error: [www] handler"},
};

Test(config_errors, each_error_is_reported_with_its_line, .timeout = 120)
{
	struct world *w = world_open();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		world_write(w, "fcgipm.ini", rows[i].ini);
		expect_config(w, 78, rows[i].want, rows[i].why);
		cr_expect_neq(access(world_path(w, "www.sock"), F_OK), 0,
			"%s: a socket was made", rows[i].why);
	}
}

Test(config_errors, all_errors_of_a_file_are_reported_in_one_run, .timeout = 60)
{
	struct world *w = world_open();

	world_write(w, "fcgipm.ini",
		"[www]\n"
		"listen = 99999\n"
		"handler = /no/such/file\n"
		"threads = x\n"
		"nonsense = 1\n"
		"[b]\n"
		"mode = both\n");
	expect_config(w, 78, "fcgipm.ini:2: error: [www] listen", "first");
	expect_config(w, 78, "fcgipm.ini:3: error: [www] handler", "second");
	expect_config(w, 78, "fcgipm.ini:4: error: [www] threads", "third");
	expect_config(w, 78, "fcgipm.ini:5: error: [www] nonsense", "fourth");
	expect_config(w, 78, "fcgipm.ini:7: error: [b] mode", "of another "
		"pool");
}

Test(config_errors, errors_of_an_included_file_have_its_name, .timeout = 60)
{
	struct world *w = world_open();

	cr_assert_eq(mkdir(world_path(w, "conf.d"), 0755), 0);
	world_write(w, "conf.d/a.ini", "[a]\nlisten = 18999\n" HANDLER);
	world_write(w, "conf.d/b.ini", "# comment\n\n[b]\nthreads = x\n");
	world_write(w, "fcgipm.ini", "[fcgipm]\ninclude = conf.d/*.ini\n");
	expect_config(w, 78, "conf.d/b.ini:4: error: [b] threads", "include");
}

Test(config_errors, a_missing_file_or_a_directory_is_an_error, .timeout = 60)
{
	struct world *w = world_open();
	const char *path = world_path(w, "fcgipm.ini");

	expect_config(w, 78, "fcgipm.ini: error: No such file", "missing");
	cr_assert_eq(mkdir(path, 0755), 0);
	expect_config(w, 78, "fcgipm.ini: error: is a directory", "a "
		"directory");
	cr_assert_eq(rmdir(path), 0);
}

Test(config_errors, an_unreadable_file_is_an_error, .timeout = 60)
{
	struct world *w;

	world_need_user();
	w = world_open();
	world_write(w, "fcgipm.ini", "[www]\n" LISTEN HANDLER);
	cr_assert_eq(chmod(world_path(w, "fcgipm.ini"), 0), 0);
	expect_config(w, 78, "fcgipm.ini: error: Permission denied: not "
		"readable",
		"mode 000");
}

static void
write_raw(struct world *w, const char *p, size_t len)
{
	FILE *f = fopen(world_path(w, "fcgipm.ini"), "we");

	cr_assert_not_null(f);
	cr_assert_eq(fwrite(p, 1, len, f), len);
	cr_assert_eq(fclose(f), 0);
}

Test(config_errors, a_nul_byte_is_an_error_with_its_line, .timeout = 60)
{
	static const char text[] = "[www]\nlisten = 18999\nthreads = 1\0 2\n";
	struct world *w = world_open();

	write_raw(w, text, sizeof(text) - 1);
	expect_config(w, 78, "fcgipm.ini:3: ", "NUL");
	expect_config(w, 78, "NUL", "NUL");
}

/* Editors of other systems write these; they do not change a value. */
Test(config_errors, a_byte_order_mark_and_cr_lf_are_accepted, .timeout = 60)
{
	struct world *w = world_open();
	char ini[900];

	snprintf(ini, sizeof(ini),
		"\xef\xbb\xbf[www]\r\n"
		"listen = %s/www.sock\r\n"
		"\r\n"
		"handler = %s\r\n"
		"threads = x\r\n", w->dir, world_handler("hello"));
	write_raw(w, ini, strlen(ini));
	expect_config(w, 78, "fcgipm.ini:5: error: [www] threads: write a "
		"whole "
		"number (1 to 1024), not \"x\"", "the value has no CR");
	*strstr(ini, "threads") = '#';
	world_start(w, ini);
	answer_expect(client_script(w, "www.sock", NULL, NULL), "Hello");
}

Test(config_errors, a_line_may_have_64_kib, .timeout = 60)
{
	struct world *w = world_open();
	size_t len = 64 * 1024;
	char *ini = calloc(1, len + 1000);
	struct answer a;

	cr_assert_not_null(ini);
	strcpy(ini, "[www]\nmode = cgi\n" LISTEN
		"docroot = @T@/children\n    env[LONG] = ");
	memset(ini + strlen(ini), 'v', len - strlen("env[LONG] = ") - 3);
	strcat(ini, ";x\n  env[NEXT] = a ; b # c\n");
	world_start(w, ini);
	a = client_script(w, "www.sock", world_child("misbehave.sh"), "env");
	answer_expect(a, "vvvvv;x\n");
	answer_expect(a, "NEXT=a ; b # c\n");
	cr_expect_gt(a.out_len, len - 20);
	world_write(w, "fcgipm.ini", strcat(ini, "threads = x\n"));
	expect_config(w, 78, "fcgipm.ini:7: error: [www] threads",
		"the number of the line");
	free(ini);
}

Test(config_errors, keys_that_need_root_are_refused_to_others, .timeout = 60)
{
	struct world *w;

	world_need_user();
	w = world_open();
	world_write(w, "fcgipm.ini", "[www]\n" LISTEN HANDLER "user = root\n"
		"chroot = /\n"
		"process.priority = -5\n");
	expect_config(w, 78, "fcgipm.ini:4: error: [www] user: only root",
		"user");
	expect_config(w, 78, "fcgipm.ini:5: error: [www] chroot: only root",
		"chroot");
	expect_config(w, 78, "fcgipm.ini:6: error: [www] process.priority: "
		"only "
		"root", "nice");
}

Test(config_errors, root_may_not_open_an_abstract_socket, .timeout = 60)
{
	struct world *w;

	world_need_root();
	w = world_open();
	world_write(w, "fcgipm.ini", "[www]\nlisten = @name\n" HANDLER);
	expect_config(w, 78, "fcgipm.ini:2: error: [www] listen: @name",
		"abstract");
}
