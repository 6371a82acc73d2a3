/*
 * limits.c - the resource limits that a pool's keys set on a child; see
 * limits.h
 *
 * Called by worker/launch and by the gateway.
 */
#include <stddef.h>
#include <sys/resource.h>

#include "base/util.h"
#include "conf/conf.h"
#include "sys/privs.h"
#include "worker/limits.h"

static void
add_limit(struct privs *p, int resource, rlim_t soft, rlim_t hard)
{
	if (p->nlimits == ARRAY_SIZE(p->limits))
		BUG("more limits than struct privs holds");
	p->limits[p->nlimits++] = (struct privs_limit){
		.resource = resource,
		.soft = soft,
		.hard = hard,
	};
}

static void
add_key(struct privs *p, int resource, const struct conf_limit *key)
{
	rlim_t v = key->value == CONF_UNLIMITED ? RLIM_INFINITY :
						  (rlim_t)key->value;

	if (key->set)
		add_limit(p, resource, v, v);
}

void
limits_restore_nofile(struct privs *p, unsigned long nofile)
{
	struct rlimit now;

	if (getrlimit(RLIMIT_NOFILE, &now) == 0)
		add_limit(p, RLIMIT_NOFILE, MIN((rlim_t)nofile, now.rlim_max),
			now.rlim_max);
}

void
limits_set(struct privs *p, const struct conf_pool *conf, unsigned long nofile)
{
	if (!conf->rlimit_files.set)
		limits_restore_nofile(p, nofile);
	add_key(p, RLIMIT_NOFILE, &conf->rlimit_files);
	add_key(p, RLIMIT_CORE, &conf->rlimit_core);
	add_key(p, RLIMIT_AS, &conf->rlimit_as);
	add_key(p, RLIMIT_NPROC, &conf->rlimit_nproc);
	add_key(p, RLIMIT_CPU, &conf->rlimit_cpu);
	add_key(p, RLIMIT_FSIZE, &conf->rlimit_fsize);
}
