/*
 * test_board_spare.c - tests slots of the board that several processes claim,
 * or whose process has ended
 */
#include <sched.h>
#include <sys/wait.h>

#include "boards.h"
#include "sys/procfs.h"

TestSuite(board, .init = boards_open, .fini = boards_close, .timeout = 60);

Test(board, another_pid_claims_a_spare_slot)
{
	struct fcgipm_slot *s;
	struct board_sample seen;

	board_reset(b, 2, 0);
	board_started(b, 2, getppid());
	s = fcgipm_claim_(&view, 2, FCGIPM_TIER_SHIM);
	cr_assert_not_null(s);
	cr_expect_not(board_read(b, 2, &seen));
	cr_assert(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.pid, getpid());
	cr_expect_eq(seen.owner, 2);
	cr_expect_not(seen.ours);
	/* A worker can write any value there. */
	FCGIPM_PUT(s->owner, NSLOTS - 1);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.owner, NSLOTS - 1);
	FCGIPM_PUT(s->owner, NSLOTS);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.owner, -1);
	FCGIPM_PUT(s->owner, -7);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.owner, -1);
	FCGIPM_PUT(s->owner, 2);
	/* It exits; its counters stay. */
	fcgipm_take_place_(&view, s);
	fcgipm_count_request_(&view, s);
	fcgipm_release_(&view, s);
	cr_expect_not(board_read(b, NSLOTS, &seen));
	cr_expect_eq(board_idle(b), 0);
	(void)fcgipm_claim_(&view, 2, FCGIPM_TIER_SHIM);
	cr_assert(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.requests, 1);
	cr_expect_eq(seen.open, 0);
	cr_expect_eq(board_idle(b), THREADS);
}

/* The child of a shell claims a slot before the supervisor has written the pid
 * of the shell. */
Test(board, a_process_waits_until_the_pid_of_the_worker_is_known)
{
	struct board_sample seen;
	int status;
	pid_t pid;

	board_reset(b, 2, 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(fcgipm_claim_(&view, 2, FCGIPM_TIER_SHIM) !=
			fcgipm_slot_at_(&view, NSLOTS));
	while (procfs_state(pid) == 'R')
		sched_yield();
	board_started(b, 2, getpid());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	cr_expect_not(board_read(b, 2, &seen));
}

Test(board, more_processes_than_spare_slots_are_reported)
{
	struct board_sample seen;
	unsigned i;

	board_reset(b, 0, 0);
	board_started(b, 0, getppid());
	for (i = 0; i < NSPARE; i++)
		cr_assert_not_null(
			fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM));
	cr_expect_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM));
	board_read(b, 0, &seen);
	cr_expect(seen.no_spare);
	cr_expect_eq(board_idle(b), NSPARE * THREADS);
}

/* A process that has ended and was waited for. */
static pid_t
dead_pid(void)
{
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	return pid;
}

Test(board, spare_slots_of_dead_processes_are_free)
{
	struct fcgipm_slot *s;
	struct board_sample seen;
	unsigned i;

	board_reset(b, 0, 0);
	board_started(b, 0, getppid());
	for (i = 0; i < NSPARE; i++) {
		s = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
		FCGIPM_PUT(s->pid, (int32_t)dead_pid());
	}
	cr_assert_not_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM),
		"none was taken over");
	cr_expect_eq(board_idle(b), NSPARE * THREADS);
	board_sweep(b);
	cr_expect_eq(board_idle(b), THREADS);
	cr_expect(board_read(b, NSLOTS, &seen));
	cr_expect_not(board_read(b, NSLOTS + 1, &seen));
}

/* EPERM of kill(2) means that the process exists. */
Test(board, spare_slots_of_other_users_are_not_free)
{
	struct fcgipm_slot *s = NULL;
	struct board_sample seen;
	int status = 0, i;
	pid_t pid;

	board_reset(b, 0, 0);
	board_started(b, 0, getppid());
	for (i = 0; i < NSPARE; i++) {
		s = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
		cr_assert_not_null(s);
		FCGIPM_PUT(s->pid, 1);
	}
	pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(2);
		board_sweep(b);
		_exit(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM) != NULL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "one was free");
	for (i = 0; i < NSPARE; i++)
		cr_expect(board_read(b, NSLOTS + (unsigned)i, &seen));
	cr_expect_eq(board_idle(b), NSPARE * THREADS);
}

Test(board, the_counters_of_dead_processes_are_taken_once)
{
	struct fcgipm_slot *s = claim(0), *spare;
	uint64_t accepted, requests;
	struct board_sample seen;

	fcgipm_take_place_(&view, s);
	fcgipm_count_request_(&view, s);
	board_started(b, 0, getppid());
	FCGIPM_PUT(s->pid, (int32_t)getppid());
	spare = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
	fcgipm_take_place_(&view, spare);
	fcgipm_count_request_(&view, spare);
	FCGIPM_PUT(spare->pid, (int32_t)dead_pid());
	board_sweep(b);
	cr_expect_not(board_read(b, NSLOTS, &seen));
	cr_expect_eq(seen.requests, 1, "already taken");
	cr_expect_eq(seen.owner, 0);
	board_take_counts(b, 1, &accepted, &requests);
	cr_expect_eq(accepted + requests, 0, "another worker's");
	board_take_counts(b, 0, &accepted, &requests);
	cr_expect_eq(accepted, 2);
	cr_expect_eq(requests, 2);
	board_take_counts(b, 0, &accepted, &requests);
	cr_expect_eq(accepted + requests, 0);
	FCGIPM_PUT(s->requests, UINT64_MAX);
	FCGIPM_PUT(spare->requests, UINT64_MAX);
	board_take_counts(b, 0, &accepted, &requests);
	cr_expect_eq(requests, UINT64_MAX, "overflow");
}

Test(board, only_one_of_shim_and_handler_writes_a_slot)
{
	struct board_sample seen;

	cr_assert_not_null(claim(0));
	cr_expect_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_HANDLER));
	cr_expect_not_null(fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM));
	cr_expect_eq(board_idle(b), THREADS);
	board_read(b, 0, &seen);
	cr_expect_not(seen.handler);
}

/* Its slot may stay unused for long. */
Test(board, a_worker_that_has_exited_has_no_idle_capacity)
{
	struct fcgipm_slot *s = claim(0);
	struct board_sample seen;

	cr_expect_not_null(claim(1));
	board_ended(b, 0);
	cr_expect_eq(board_idle(b), THREADS);
	cr_expect_not(board_read(b, 0, &seen));
	/* A process that it forked claims a spare slot. */
	FCGIPM_PUT(s->worker, 1);
	s = fcgipm_claim_(&view, 0, FCGIPM_TIER_SHIM);
	cr_expect_eq(s, fcgipm_slot_at_(&view, NSLOTS));
	board_reset(b, 0, 0);
	cr_expect_eq(board_idle(b), 2 * THREADS);
}
