/*
 * test_backoff.c - broken programs are restarted, rarely enough not to disturb
 * other pools, and soon after they are fixed
 *
 * Takes three seconds; a minute if FCGIPM_LONG is set.
 */
#include <time.h>

#include "hostile.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))
#define WORKERS 8
/* Maximum: first fill, ten short lives, first second of the back-off. */
#define BURST (WORKERS + 10 + 5)
#define A_MINUTE 40
#define LINES 200
#define CLIENTS 4

static const char *const pms[] = {"static", "dynamic", "ondemand"};
static const char *const ways[] = {"exec", "1", "0", "segv", "accept"};

#define POOLS (LENGTH(pms) * LENGTH(ways))

struct broken {
	struct world *w;
	char name[32], address[64];
	bool no_exec;
	int clients[CLIENTS];	/* reconnect when they get no answer */
	size_t before;		/* starts before the test began */
};

static void
name_pool(struct broken *b, struct world *w, size_t i)
{
	const char *way = ways[i % LENGTH(ways)];
	size_t k;

	b->w = w;
	b->no_exec = strcmp(way, "exec") == 0;
	snprintf(b->name, sizeof(b->name), "%s-%s", pms[i / LENGTH(ways)],
		way);
	snprintf(b->address, sizeof(b->address), "%s.sock", b->name);
	for (k = 0; k < CLIENTS; k++)
		b->clients[k] = -1;
}

static void
add_pool(const struct broken *b, char *ini, size_t size)
{
	size_t len = strlen(ini);

	snprintf(ini + len, size - len,
		"[%s]\n"
		"listen = @DIR@/%s\n"
		"handler = %s\n"
		"handler_args = %s @DIR@/%s @DIR@/fixed\n"
		"rlimit_core = 0\n"
		"pm = %.*s\n"
		"pm.max_children = %d\n"
		"pm.start_servers = %d\n",
		b->name, b->address, b->no_exec ? "@DIR@/broken" :
			"@T@/children/crash", strchr(b->name, '-') + 1,
		b->name, (int)strcspn(b->name, "-"), b->name, WORKERS,
		WORKERS / 2);
}

/* How often it was started: a byte or a log line for each start. */
static size_t
starts_of(const struct broken *b)
{
	struct stat st;

	if (b->no_exec) {
		return world_log_count(b->w,
			own_text("pool %s: worker ", b->name));
	}
	return stat(world_path(b->w, b->name), &st) == 0 ?
		(size_t)st.st_size : 0;
}

static void
begin_request(int fd)
{
	static const char *const none[] = {NULL};
	uint8_t wire[256];
	size_t len = client_put_request(wire, sizeof(wire), 0, none, NULL, 0);

	/* The connection may be closed already: that is not an error here. */
	(void)send(fd, wire, len, MSG_NOSIGNAL);
}

static void
reconnect(struct broken *b)
{
	struct pollfd p = {.events = POLLIN};
	size_t k;

	for (k = 0; k < CLIENTS; k++) {
		p.fd = b->clients[k];
		if (p.fd >= 0 && poll(&p, 1, 0) == 0)
			continue;
		if (p.fd >= 0)
			close(p.fd);
		b->clients[k] = client_try(b->w, b->address);
		if (b->clients[k] >= 0)
			begin_request(b->clients[k]);
	}
}

static void
disconnect(struct broken *b)
{
	size_t k;

	for (k = 0; k < CLIENTS; k++)
		if (b->clients[k] >= 0)
			close(b->clients[k]);
}

static int64_t
cpu_ms(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	cr_assert_eq(clock_getcpuclockid(pid, &clock), 0);
	cr_assert_eq(clock_gettime(clock, &ts), 0);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Clients connect for so long and get no answer. */
static void
watch(struct broken *b, int64_t ms)
{
	int64_t end = world_now_ms() + ms;

	while (world_now_ms() < end) {
		for (size_t i = 0; i < POOLS; i++)
			reconnect(&b[i]);
		hostile_pause(20);
	}
	for (size_t i = 0; i < POOLS; i++)
		disconnect(&b[i]);
}

static bool
has_next_start(void *arg)
{
	const struct broken *b = arg;
	char text[64], *log = world_log(b->w), *at = log, *end;
	bool found = false;

	snprintf(text, sizeof(text), "pool %s: ", b->name);
	while (!found && (at = strstr(at, text)) != NULL) {
		end = at + strcspn(at, "\n");
		at = strstr(at, "next start in ");
		found = at && at < end;
		at = end;
	}
	return found;
}

static void
expect_calm(struct broken *b, int64_t ms)
{
	size_t most = BURST + A_MINUTE * (size_t)ms / 60000, n;

	n = starts_of(b);
	cr_expect_leq(n, most, "pool %s: %zu starts", b->name, n);
	cr_expect_geq(n, 2, "pool %s stopped trying", b->name);
	n = world_log_count(b->w, own_text("pool %s: ", b->name));
	cr_expect_leq(n, LINES, "pool %s: %zu lines", b->name, n);
	world_until(has_next_start, b, b->name);
	hostile_figure("back-off %s: %zu starts, %zu lines in %ld s", b->name,
		starts_of(b), n, (long)ms / 1000);
}

static long
good_pid(struct world *w)
{
	struct answer a = client_script(w, "good.sock", NULL, NULL);
	long pid = answer_number(&a, "pid");

	return pid;
}

static void
fix(struct world *w)
{
	world_write(w, "fixed", "");
	/* Replaces the file: processes that execute the old one keep it. */
	world_shell(w, "printf '#!/bin/sh\\nexec @T@/children/crash \"$@\"\\n'"
		" > new; chmod 755 new; mv new broken");
}

static void
expect_served(const struct broken *b, int64_t fixed_ms)
{
	struct answer a = client_script(b->w, b->address, NULL, NULL);
	int64_t took = world_now_ms() - fixed_ms;

	answer_expect(a, "mended");
	cr_expect_leq(took, 10000, "pool %s: %ld ms", b->name, (long)took);
}

Test(backoff, a_broken_program_disturbs_no_other_pool_and_is_retried,
	.timeout = 240)
{
	int64_t ms = (int64_t)hostile_size(3000, 60000), begin, cpu, fixed;
	struct broken b[POOLS];
	struct world *w = world_open();
	char ini[8192] = "[good]\n"
		"listen = @DIR@/good.sock\n"
		"handler = @BIN@/handlers/whoami\n"
		"pm.max_children = 1\n";
	long pid;

	world_write(w, "broken", "#!/no/such/interpreter\n");
	world_shell(w, "chmod 755 broken");
	for (size_t i = 0; i < POOLS; i++) {
		name_pool(&b[i], w, i);
		add_pool(&b[i], ini, sizeof(ini));
	}
	world_launch(w, ini);
	world_expect_log(w, "pool good: listening");
	begin = world_now_ms();
	cpu = cpu_ms(w->pid);
	pid = good_pid(w);
	watch(b, ms);
	cr_expect_eq(good_pid(w), pid, "another pool's worker was replaced");
	ms = world_now_ms() - begin;
	cpu = cpu_ms(w->pid) - cpu;
	hostile_figure("back-off: %zu broken pools take %.1f %% CPU", POOLS,
		100.0 * (double)cpu / (double)ms);
	if (hostile_size(0, 1))
		cr_expect_lt(cpu * 20, ms, "%ld ms of CPU", (long)cpu);
	for (size_t i = 0; i < POOLS; i++)
		expect_calm(&b[i], ms);
	fix(w);
	fixed = world_now_ms();
	for (size_t i = 0; i < POOLS; i++)
		expect_served(&b[i], fixed);
	world_expect_deaths(w);
	world_close_changed(&w);
}
