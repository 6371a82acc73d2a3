/*
 * test_privs.c - applies privileges, and the steps that fail
 *
 * Each test changes its own process, which Criterion has forked for it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "sys/privs.h"

TestSuite(privs, .timeout = 30);

static void
expect_step(const struct privs *p, const char *want, int want_err)
{
	const char *step;
	int err = 0;

	step = privs_apply(p, &err);
	if (want)
		cr_expect(step && strcmp(step, want) == 0, "%s, not %s", step,
			want);
	else
		cr_expect_null(step, "%s: %s", step, strerror(err));
	cr_expect_eq(err, want_err, "%s", strerror(err));
}

/* When the parent dies between fork and prctl(2), no signal is sent. */
Test(privs, a_parent_that_died_before_the_prctl_is_detected)
{
	struct privs p = {.parent_death_signal = SIGKILL,
		.parent = getppid() + 1};
	int signo = 0;

	expect_step(&p, "parent", ECHILD);
	p.parent = getppid();
	expect_step(&p, NULL, 0);
	cr_assert_eq(prctl(PR_GET_PDEATHSIG, &signo), 0);
	cr_expect_eq(signo, SIGKILL);
}

/* The parent is checked only with parent_death_signal. */
Test(privs, without_a_signal_the_parent_is_not_checked)
{
	struct privs p = {.parent = getppid() + 1};
	int before = 0, after = 0;

	/* Criterion may have set one. */
	cr_assert_eq(prctl(PR_GET_PDEATHSIG, &before), 0);
	expect_step(&p, NULL, 0);
	cr_assert_eq(prctl(PR_GET_PDEATHSIG, &after), 0);
	cr_expect_eq(after, before);
}

Test(privs, applies_umask_priority_and_limits)
{
	struct rlimit lim;
	int nice = getpriority(PRIO_PROCESS, 0);
	struct privs p = {.set_umask = true, .umask = 031,
		.no_new_privs = true, .set_nice = true,
		.nice = MIN(nice + 1, 19), .nlimits = 2,
		.limits = {{RLIMIT_CORE, 0, 0}, {RLIMIT_CPU, 1000, 2000}}};

	expect_step(&p, NULL, 0);
	cr_expect_eq(umask(0), 031);
	cr_expect_eq(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	cr_expect_eq(getpriority(PRIO_PROCESS, 0), MIN(nice + 1, 19));
	cr_assert_eq(getrlimit(RLIMIT_CORE, &lim), 0);
	cr_expect_eq(lim.rlim_cur, 0);
	cr_expect_eq(lim.rlim_max, 0);
	cr_assert_eq(getrlimit(RLIMIT_CPU, &lim), 0);
	cr_expect_eq(lim.rlim_cur, 1000);
	cr_expect_eq(lim.rlim_max, 2000);
}

Test(privs, returns_the_name_of_the_failed_step)
{
	struct privs p = {.nlimits = 1, .limits = {{RLIMIT_CPU, 2, 1}}};

	expect_step(&p, "setrlimit", EINVAL);
	p = (struct privs){.parent_death_signal = 1000};
	expect_step(&p, "pdeathsig", EINVAL);
	p = (struct privs){.chroot = "/nowhere-fcgipm"};
	expect_step(&p, "chroot", ENOENT);
}

/* What a child inherits needs no system call. */
Test(privs, drops_limits_and_umask_that_are_inherited)
{
	struct rlimit lim;
	struct privs p = {.set_umask = true, .umask = 027, .nlimits = 2,
		.limits = {{RLIMIT_CORE, 0, 0}, {RLIMIT_CPU, 1000, 2000}}};

	cr_assert_eq(getrlimit(RLIMIT_CORE, &lim), 0);
	lim.rlim_cur = 0;
	p.limits[0].hard = lim.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_CORE, &lim), 0);
	umask(027);
	privs_drop_inherited(&p);
	cr_expect_not(p.set_umask);
	cr_assert_eq(p.nlimits, 1);
	cr_expect_eq(p.limits[0].resource, RLIMIT_CPU);
	umask(022);
	p.set_umask = true;
	privs_drop_inherited(&p);
	cr_expect(p.set_umask);
	cr_expect_eq(umask(022), 022, "the umask of this process is kept");
}
