/*
 * test_launch.c - what a worker is started with, and its limits
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/conf.h"
#include "observe/board.h"
#include "sys/listen.h"
#include "sys/privs.h"
#include "sys/spawn.h"
#include "worker/launch.h"
#include "worker/limits.h"

static struct conf_pool conf;
static struct listen_socket sockets[2] = {{.fd = 40}, {.fd = 41}};
static struct launch *launch;

static void
set_up(void)
{
	conf = (struct conf_pool){.name = (char *)"www", .threads = 3,
		.mode = CONF_MODE_PREFORK, .handler = (char *)"/srv/app/run",
		.umask = 022};
	cr_assert_eq(clearenv(), 0);
	cr_assert_eq(setenv("OURS", "1", 1), 0);
	cr_assert_eq(setenv("FCGIPM_OURS", "1", 1), 0);
	cr_assert_eq(setenv("LD_PRELOAD", "/ours.so", 1), 0);
}

static void
tear_down(void)
{
	launch_free(&launch);
}

TestSuite(launch, .init = set_up, .fini = tear_down, .timeout = 10);

static const struct spawn_spec *
prepare(const struct board *board)
{
	char why[100] = "";

	launch = launch_new(&conf, sockets, 1, board, 1024, why, sizeof(why));
	cr_assert_not_null(launch, "%s", why);
	return launch_spec(launch, 7);
}

/* How often a variable of that name is there. */
static unsigned
count(const struct spawn_spec *spec, const char *name)
{
	size_t len = strlen(name);
	unsigned n = 0, i;

	for (i = 0; spec->envp[i]; i++)
		n += strncmp(spec->envp[i], name, len) == 0 &&
			spec->envp[i][len] == '=';
	return n;
}

static bool
has(const struct spawn_spec *spec, const char *var)
{
	unsigned i;

	for (i = 0; spec->envp[i]; i++)
		if (strcmp(spec->envp[i], var) == 0)
			return true;
	return false;
}

Test(launch, the_environment_is_clean)
{
	const struct spawn_spec *spec;

	conf.clear_env = true;
	spec = prepare(NULL);
	cr_expect(has(spec, "FCGIPM_POOL=www"));
	cr_expect(has(spec, "FCGIPM_THREADS=3"));
	cr_expect_eq(count(spec, "PATH"), 1);
	cr_expect_eq(count(spec, "HOME"), 1);
	cr_expect_eq(count(spec, "OURS"), 0);
	cr_expect_eq(count(spec, "LD_PRELOAD"), 0);
	cr_expect_str_eq(spec->own_env, "FCGIPM_WORKER=7");
	cr_expect_str_eq(launch_spec(launch, 1234)->own_env,
		"FCGIPM_WORKER=1234");
}

Test(launch, a_clean_environment_has_the_shim_alone_as_preload)
{
	struct board *board = board_new(1, 1, 3);
	const struct spawn_spec *spec;
	unsigned i;

	cr_assert_not_null(board);
	conf.clear_env = true;
	spec = prepare(board);
	for (i = 0; spec->envp[i]; i++)
		cr_expect_null(strstr(spec->envp[i], "/ours.so"));
	board_free(&board);
}

Test(launch, without_clear_env_the_environment_is_inherited_except_for_keys)
{
	struct conf_pair pairs[] = {
		{.name = (char *)"OURS", .value = (char *)"theirs"}};
	const struct spawn_spec *spec;

	conf.env.v = pairs;
	conf.env.n = 1;
	spec = prepare(NULL);
	cr_expect_eq(count(spec, "OURS"), 1);
	cr_expect(has(spec, "OURS=theirs"));
	cr_expect(has(spec, "LD_PRELOAD=/ours.so"));
	cr_expect_eq(count(spec, "FCGIPM_OURS"), 0);
	cr_expect_eq(count(spec, "FCGIPM_POOL"), 1);
}

Test(launch, a_board_is_announced_and_its_library_preloaded)
{
	struct conf_pair pairs[] = {{.name = (char *)"LD_PRELOAD",
		.value = (char *)"/theirs.so"}};
	struct board *board = board_new(1, 1, 3);
	const struct spawn_spec *spec;

	cr_assert_not_null(board);
	conf.chroot = (char *)"/srv";
	conf.env.v = pairs;
	conf.env.n = 1;
	spec = prepare(board);
	cr_expect(has(spec, "FCGIPM_BOARD=3:4"));
	cr_expect_eq(count(spec, "LD_PRELOAD"), 1);
	cr_expect(has(spec, "LD_PRELOAD=/theirs.so"), "no shim in a chroot");
	cr_expect_eq(spec->nfds, 5);
	cr_expect_eq(spec->fds[3], board_fd(board));
	cr_expect_eq(spec->fds[4], board_eventfd(board));
	board_free(&board);
}

Test(launch, a_handler_starts_in_its_directory_with_its_arguments)
{
	char *args[] = {(char *)"-x", (char *)"a b"};
	const struct spawn_spec *spec;

	conf.handler_args.v = args;
	conf.handler_args.n = 2;
	conf.process_priority = -3;
	spec = prepare(NULL);
	cr_expect_str_eq(spec->path, "/srv/app/run");
	cr_expect_str_eq(spec->cwd, "/srv/app");
	cr_expect_str_eq(spec->argv[0], "/srv/app/run");
	cr_expect_str_eq(spec->argv[1], "-x");
	cr_expect_str_eq(spec->argv[2], "a b");
	cr_expect_null(spec->argv[3]);
	cr_expect_eq(spec->nfds, 3);
	cr_expect_eq(spec->fds[0], 40);
	cr_expect(spec->new_session);
	cr_expect(spec->privs->set_umask);
	cr_expect_eq(spec->privs->umask, 022);
	cr_expect(spec->privs->set_nice);
	cr_expect_eq(spec->privs->nice, -3);
	cr_expect_eq(spec->privs->parent_death_signal, SIGKILL);
	cr_expect_eq(spec->privs->parent, getpid());
}

Test(launch, a_handler_in_the_root_directory_starts_there)
{
	conf.handler = (char *)"/run";
	cr_expect_str_eq(prepare(NULL)->cwd, "/");
}

/* -- limits ---------------------------------------------------------------- */

static const struct privs_limit *
find(const struct privs *p, int resource)
{
	size_t i;

	for (i = 0; i < p->nlimits; i++)
		if (p->limits[i].resource == resource)
			return &p->limits[i];
	return NULL;
}

Test(launch, the_limit_of_open_files_is_restored_below_the_hard_limit)
{
	struct privs p = {0};
	struct rlimit now;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &now), 0);
	limits_restore_nofile(&p, 17);
	cr_assert_eq(p.nlimits, 1);
	cr_expect_eq(p.limits[0].soft, 17);
	cr_expect_eq(p.limits[0].hard, now.rlim_max);
	now = (struct rlimit){.rlim_cur = 64, .rlim_max = 64};
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &now), 0);
	p.nlimits = 0;
	limits_restore_nofile(&p, 1024);
	cr_expect_eq(p.limits[0].soft, 64);
	cr_expect_eq(p.limits[0].hard, 64);
}

Test(launch, each_limit_is_set_from_its_key)
{
	struct privs p = {0};

	conf.rlimit_files = (struct conf_limit){.set = true, .value = 11};
	conf.rlimit_core = (struct conf_limit){.set = true, .value = 12};
	conf.rlimit_as = (struct conf_limit){.set = true, .value = 13};
	conf.rlimit_nproc = (struct conf_limit){.set = true, .value = 14};
	conf.rlimit_cpu = (struct conf_limit){.set = true, .value = 15};
	conf.rlimit_fsize = (struct conf_limit){
		.set = true, .value = CONF_UNLIMITED};
	limits_set(&p, &conf, 1024);
	cr_assert_eq(p.nlimits, 6);
	cr_expect_eq(find(&p, RLIMIT_NOFILE)->hard, 11);
	cr_expect_eq(find(&p, RLIMIT_CORE)->soft, 12);
	cr_expect_eq(find(&p, RLIMIT_AS)->soft, 13);
	cr_expect_eq(find(&p, RLIMIT_NPROC)->soft, 14);
	cr_expect_eq(find(&p, RLIMIT_CPU)->soft, 15);
	cr_expect_eq(find(&p, RLIMIT_FSIZE)->soft, RLIM_INFINITY);
}

Test(launch, without_keys_only_the_limit_of_open_files_is_set)
{
	struct privs p = {0};

	limits_set(&p, &conf, 17);
	cr_assert_eq(p.nlimits, 1);
	cr_expect_eq(find(&p, RLIMIT_NOFILE)->soft, 17);
}
