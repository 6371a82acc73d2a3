/*
 * check.c - checks keys against each other and against the system, and sets
 * defaults that depend on other keys; see conf.h
 *
 * Called by conf/load, master/main and gateway/main.  conf/check_files checks
 * files and directories.
 */
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "conf/check_files.h"
#include "conf/habits.h"
#include "conf/keys.h"
#include "conf/table.h"

#define ERROR(p, key, ...) KEYS_ERROR(ps, p, key, __VA_ARGS__)
#define WARNING(p, key, ...) KEYS_WARNING(ps, p, key, __VA_ARGS__)

static void
check_scopes(const struct conf_pool *p, struct conf_problems *ps)
{
	size_t n, i;
	const struct table_row *rows = table_pool_rows(&n);
	enum table_scope other = p->mode == CONF_MODE_CGI ? TABLE_PREFORK :
							    TABLE_CGI;

	for (i = 0; i < n; i++) {
		const char *key = rows[i].key.name;

		if (!p->origins[i].file || rows[i].scope != other)
			continue;
		if (p->mode == CONF_MODE_PREFORK)
			ERROR(p, key, "only for mode = cgi; remove it, or "
				"write mode = cgi");
		else if (strcmp(key, "pm") == 0 || strncmp(key, "pm.", 3) == 0)
			ERROR(p, key, "only for mode = prefork; remove it: in "
				"a cgi pool pm.max_children limits the "
				"programs that run at once");
		else
			ERROR(p, key, "only for mode = prefork; remove it, or "
				"write mode = prefork");
	}
}

static void
check_address(const struct conf_pool *p, const struct addr *a,
	struct conf_problems *ps)
{
	if (addr_is_abstract(a) && geteuid() == 0)
		ERROR(p, "listen",
			"%s: an abstract socket has no permissions, so root "
			"must not open one; write a path", a->text);
	else if (addr_is_abstract(a))
		WARNING(p, "listen",
			"%s: an abstract socket has no permissions: every "
			"user may connect", a->text);
	if (addr_is_tcp(a) && !addr_is_loopback(a) &&
		!p->listen_allowed_clients)
		ERROR(p, "listen",
			"%s is open to the network; write listen.allowed_"
			"clients with the addresses of the web servers",
			a->text);
}

static void
check_listen(const struct conf_pool *p, struct conf_problems *ps)
{
	bool tcp = false;
	size_t i;

	if (p->nlisten == 0) {
		if (!keys_is_set(p, "listen"))
			ERROR(p, "listen", "missing; write where the web "
				"server connects, such as listen = "
				"/run/fcgipm/%%n.sock");
		return;
	}
	if (p->mode == CONF_MODE_PREFORK && p->nlisten > 1)
		ERROR(p, "listen",
			"write one address: a FastCGI program accepts on its "
			"descriptor 0 only");
	else if (p->nlisten > CONF_LISTEN_MAX)
		ERROR(p, "listen",
			"%zu addresses; write at most %d, and the rest in "
			"another pool", p->nlisten, CONF_LISTEN_MAX);
	for (i = 0; i < p->nlisten; i++) {
		check_address(p, &p->listen[i], ps);
		tcp = tcp || addr_is_tcp(&p->listen[i]);
	}
	if (p->listen_allowed_clients && !tcp)
		ERROR(p, "listen.allowed_clients",
			"only for TCP; for a unix socket use listen.owner, "
			"listen.group and listen.mode");
}

/* Is the j-th address of pool i also one of pool k?  If k == i, only the
 * addresses before the j-th are compared. */
static bool
is_taken(const struct conf *c, size_t i, size_t j, size_t k)
{
	const struct conf_pool *p = &c->pools[i], *q = &c->pools[k];
	size_t n = k < i ? q->nlisten : j, l;

	if (p->refused || q->refused)
		return false;
	for (l = 0; l < n; l++)
		if (addr_equal(&p->listen[j], &q->listen[l]))
			return true;
	return false;
}

static void
check_addresses(const struct conf *c, struct conf_problems *ps)
{
	size_t i, j, k;

	for (i = 0; i < c->npools; i++)
		for (j = 0; j < c->pools[i].nlisten; j++)
			for (k = 0; k <= i; k++)
				if (is_taken(c, i, j, k))
					ERROR(&c->pools[i], "listen",
						"%s is already the address of "
						"pool %s; write another",
						c->pools[i].listen[j].text,
						c->pools[k].name);
}

static bool
is_other_user(const char *name)
{
	const struct passwd *pw = name ? getpwnam(name) : NULL;
	char *end;

	if (!name)
		return false;
	if (pw)
		return pw->pw_uid != geteuid();
	return strtoul(name, &end, 10) != geteuid();
}

static bool
is_other_group(const char *name)
{
	const struct group *gr = name ? getgrnam(name) : NULL;
	char *end;

	if (!name)
		return false;
	if (gr)
		return gr->gr_gid != getegid();
	return strtoul(name, &end, 10) != getegid();
}

static void
check_privileges(const struct conf_pool *p, struct conf_problems *ps)
{
	if (geteuid() == 0)
		return;
	if (is_other_user(p->user))
		ERROR(p, "user", "only root can run workers as %s; remove it "
			"or start as root", p->user);
	if (is_other_user(p->listen_owner))
		ERROR(p, "listen.owner", "only root can give the socket to "
			"%s; remove it or start as root", p->listen_owner);
	if (is_other_group(p->group))
		ERROR(p, "group", "only root can run workers as group %s; "
			"remove it or start as root", p->group);
	if (is_other_group(p->listen_group))
		ERROR(p, "listen.group", "only root can give the socket to "
			"group %s; remove it or start as root",
			p->listen_group);
	if (p->chroot)
		ERROR(p, "chroot", "only root can change the root directory; "
			"remove it or start as root");
	if (p->process_priority < 0)
		ERROR(p, "process.priority", "only root can set a nice value "
			"below 0; raise it or start as root");
}

/* Keys of another pm: they have no effect. */
static void
check_pm_scopes(const struct conf_pool *p, struct conf_problems *ps)
{
#define IN(pm) (1U << CONF_PM_##pm)
	static const char *const names[] = {"static", "dynamic", "ondemand"};
	static const struct {
		const char *key;
		unsigned in;
		const char *more;
	} rows[] = {
		{"pm.start_servers", IN(DYNAMIC), "dynamic"},
		{"pm.min_spare_servers", IN(DYNAMIC), "dynamic"},
		{"pm.max_spare_servers", IN(DYNAMIC), "dynamic"},
		{"pm.max_spawn_rate", IN(DYNAMIC) | IN(ONDEMAND),
			"dynamic or pm = ondemand"},
		{"pm.process_idle_timeout", IN(ONDEMAND), "ondemand"},
	};
#undef IN
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		if (keys_is_set(p, rows[i].key) && !(rows[i].in & 1U << p->pm))
			WARNING(p, rows[i].key, "no effect with pm = %s; "
				"remove it, or write pm = %s",
				names[p->pm], rows[i].more);
}

/*
 * Values that were not written follow from the others, as in php-fpm.conf(5):
 * start is min + (max - min) / 2.
 */
static void
check_spares(struct conf_pool *p, struct conf_problems *ps)
{
	const unsigned max = p->max_children, min = p->min_spare_servers;

	/* A value that was refused is already reported. */
	if (p->max_spare_servers == 0 && keys_is_set(p, "pm.max_spare_servers"))
		return;
	if (p->max_spare_servers == 0)
		p->max_spare_servers = MAX(max / 2, min);
	if (p->start_servers == 0)
		p->start_servers = min +
			(MAX(p->max_spare_servers, min) - min) / 2;
	if (p->pm != CONF_PM_DYNAMIC)
		return;
	if (min > max)
		ERROR(p, "pm.min_spare_servers", "%u is more than "
			"pm.max_children = %u; lower it, or raise "
			"pm.max_children", min, max);
	if (p->max_spare_servers > max &&
		keys_is_set(p, "pm.max_spare_servers"))
		ERROR(p, "pm.max_spare_servers", "%u is more than "
			"pm.max_children = %u; lower it, or raise "
			"pm.max_children", p->max_spare_servers, max);
	if (min > p->max_spare_servers)
		ERROR(p, "pm.min_spare_servers", "%u is more than "
			"pm.max_spare_servers = %u; lower it, or raise "
			"pm.max_spare_servers", min, p->max_spare_servers);
	else if (p->start_servers < min ||
		p->start_servers > p->max_spare_servers)
		ERROR(p, "pm.start_servers", "%u is not between "
			"pm.min_spare_servers = %u and pm.max_spare_servers = "
			"%u; write %u to %u, or change these keys",
			p->start_servers, min, p->max_spare_servers, min,
			p->max_spare_servers);
}

static void
check_pm(struct conf_pool *p, struct conf_problems *ps)
{
	check_pm_scopes(p, ps);
	check_spares(p, ps);
	if (p->process_idle_timeout_ms == 0)
		ERROR(p, "pm.process_idle_timeout", "write how long a worker "
			"may be idle, such as 10s");
	if (p->max_memory_bytes > 0 && p->max_memory_bytes < 1 << 20)
		ERROR(p, "pm.max_memory", "every program needs more than 1M; "
			"write a size, such as 64M");
	if (keys_is_set(p, "pm.max_retiring") && p->max_requests == 0 &&
		p->max_age_ms == 0 && p->max_memory_bytes == 0)
		WARNING(p, "pm.max_retiring", "no effect without "
			"pm.max_requests, pm.max_age or pm.max_memory; write "
			"one of them or remove it");
	if (p->max_requests > 0 && p->observe == CONF_OBSERVE_KERNEL)
		WARNING(p, "pm.max_requests", "no effect with observe = "
			"kernel, which does not count requests; write "
			"pm.max_age, pm.max_memory or observe = auto");
	else if (p->max_requests > 0 && p->chroot)
		WARNING(p, "pm.max_requests", "in a chroot requests are "
			"counted only for handlers that use fcgipm-handler.h "
			"(fcgipm-handler(7)); for others write pm.max_age or "
			"pm.max_memory");
}

/* The kernel does not list a longer queue of a unix socket in one message. */
#define QUEUE_MAX 8000

static void
check_queue(const struct conf_pool *p, struct conf_problems *ps)
{
	if (p->queue_timeout_ms > 0 && p->nlisten > 0 &&
		!addr_is_tcp(&p->listen[0]) && p->listen_backlog > QUEUE_MAX)
		WARNING(p, "queue_timeout", "not enforced while more than %u "
			"clients wait, because the kernel cannot list them; "
			"lower listen.backlog to %u", QUEUE_MAX, QUEUE_MAX);
}

static void
check_timeouts(const struct conf_pool *p, struct conf_problems *ps)
{
	const int64_t slow = p->request_slowlog_timeout_ms;
	const int64_t late = p->request_terminate_timeout_ms;

	if (slow > 0 && !p->slowlog && !keys_is_set(p, "slowlog"))
		ERROR(p, "request_slowlog_timeout", "write slowlog as well, "
			"the file for slow requests");
	if (p->slowlog && slow == 0 &&
		!keys_is_set(p, "request_slowlog_timeout"))
		WARNING(p, "slowlog", "no effect without "
			"request_slowlog_timeout; write that, such as 5s, or "
			"remove slowlog");
	if (slow > 0 && late > 0 && slow >= late)
		WARNING(p, "request_slowlog_timeout", "no effect: requests end "
			"earlier, by request_terminate_timeout; lower this, or "
			"raise request_terminate_timeout");
}

/* accelerate needs the preloaded library and a unix socket. */
static void
check_accelerate(struct conf_pool *p, struct conf_problems *ps)
{
	const char *why = NULL, *instead = "";

	if (!p->accelerate)
		return;
	if (p->mode == CONF_MODE_CGI) {
		/* If it was written, check_scopes() reports it. */
		p->accelerate = false;
		return;
	}
	if (p->observe == CONF_OBSERVE_KERNEL) {
		why = "with observe = kernel";
		instead = ", or write observe = auto";
	} else if (p->chroot) {
		why = "in a chroot";
	} else if (p->nlisten > 0 && addr_is_tcp(&p->listen[0])) {
		why = "over TCP";
		instead = ", or listen on a path";
	}
	if (why && keys_is_set(p, "accelerate"))
		WARNING(p, "accelerate", "no effect %s; remove it%s",
			why, instead);
	p->accelerate = !why;
}

/* The number of processes that a pool needs at least. */
static unsigned
needed(const struct conf_pool *p)
{
	if (p->mode == CONF_MODE_CGI || p->pm == CONF_PM_ONDEMAND)
		return 1;
	return p->pm == CONF_PM_DYNAMIC ? p->start_servers : p->max_children;
}

static void
check_process_max(const struct conf *c, struct conf_problems *ps)
{
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);
	int row = table_find(rows, n, "process.max");
	bool recycles = false;
	uint64_t sum = 0;
	struct problem_place at;

	if (c->process_max == 0)
		return;
	at = problem_at(&c->origins[row], "fcgipm", "process.max");
	for (i = 0; i < c->npools; i++) {
		const struct conf_pool *p = &c->pools[i];

		sum += needed(p);
		recycles = recycles || p->max_requests > 0 ||
			p->max_age_ms > 0 || p->max_memory_bytes > 0;
	}
	if (sum > c->process_max)
		problem_error(ps, &at, "the pools start %llu processes; raise "
			"it, or lower pm.max_children and pm.start_servers",
			(unsigned long long)sum);
	else if (sum == c->process_max && recycles)
		problem_warning(ps, &at, "a recycled worker is replaced only "
			"after it has exited, because the pools need all %llu; "
			"raise it by 1", (unsigned long long)sum);
}

static void
check_control(const struct conf *c, struct conf_problems *ps)
{
	static const char *const keys[] = {"control.owner", "control.group"};
	const bool other[] = {is_other_user(c->control_owner),
		is_other_group(c->control_group)};
	size_t n, i;
	const struct table_row *rows = table_global_rows(&n);

	for (i = 0; i < ARRAY_SIZE(keys) && geteuid() != 0; i++) {
		struct problem_place at = problem_at(
			&c->origins[table_find(rows, n, keys[i])], "fcgipm",
			keys[i]);

		if (other[i])
			problem_error(ps, &at, "only root can give the socket "
				"to another user; remove it or start as root");
	}
}

static void
check_pool(struct conf_pool *p, struct conf_problems *ps)
{
	check_scopes(p, ps);
	check_files(p, ps);
	check_privileges(p, ps);
	if (p->max_children == 0)
		p->max_children = p->mode == CONF_MODE_CGI ? 32 : 4;
	if (p->mode == CONF_MODE_PREFORK) {
		check_pm(p, ps);
		check_queue(p, ps);
		check_timeouts(p, ps);
	}
	check_accelerate(p, ps);
}

/* A section that another daemon has, or NULL. */
static const char *
not_a_pool(const struct conf_pool *p)
{
	return p->handler || p->nlisten > 0 ? NULL : habit_of_section(p->name);
}

int
conf_check(struct conf *c, struct conf_problems *ps)
{
	size_t i;

	for (i = 0; i < c->npools; i++) {
		struct conf_pool *p = &c->pools[i];
		struct problem_place at = problem_at(&p->where, p->name, NULL);

		if (p->refused)
			continue;
		if (not_a_pool(p)) {
			problem_error(ps, &at, "%s", not_a_pool(p));
			continue;
		}
		check_listen(p, ps);
		check_pool(p, ps);
	}
	check_addresses(c, ps);
	check_process_max(c, ps);
	check_control(c, ps);
	problem_sort(ps);
	return ps->nerrors ? -1 : 0;
}

int
conf_check_gateway(struct conf *c, struct conf_problems *ps)
{
	size_t i;

	for (i = 0; i < c->npools; i++)
		check_pool(&c->pools[i], ps);
	return ps->nerrors ? -1 : 0;
}
