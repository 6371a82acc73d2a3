/*
 * linger.c - skips libfcgi's wait at the end of an answered connection; see
 * linger.h
 *
 * Called by shim/shim, shim/follow and shim/attach.
 */
#include "linger.h"

static bool allowed;

void
linger_allow(bool yes)
{
	allowed = yes;
}

void
linger_shut(struct conn *c)
{
	if (allowed && c->answered && FCGIPM_GET(local->lingers) !=
			LINGERS_NEVER && outflow_is_over(&c->out) &&
		intake_is_over(&c->in))
		c->linger = LINGER_SHUT;
}

bool
linger_skips_poll(struct conn *c)
{
	if (c->linger != LINGER_SHUT ||
		FCGIPM_GET(local->lingers) != LINGERS_YES)
		return false;
	c->linger = LINGER_POLLED;
	return true;
}

void
linger_polled(struct conn *c, int result)
{
	if (c->linger == LINGER_SHUT && result == 1)
		c->linger = LINGER_POLLED;
}

bool
linger_skips_read(const struct conn *c)
{
	return c->linger == LINGER_POLLED &&
		FCGIPM_GET(local->lingers) == LINGERS_YES;
}

/* The client has sent more than its end: the read is not skipped. */
void
linger_read(struct conn *c, ssize_t n)
{
	if (c->linger == LINGER_POLLED && n == 0)
		c->linger = LINGER_READ;
	else if (n >= 0)
		c->linger = LINGER_NONE;
}

bool
linger_awaits_close(const struct conn *c)
{
	return c->linger == LINGER_READ &&
		FCGIPM_GET(local->lingers) == LINGERS_UNKNOWN;
}

void
linger_closed(const struct conn *c)
{
	uint32_t unknown = LINGERS_UNKNOWN;

	if (c->linger == LINGER_READ)
		__atomic_compare_exchange_n(&local->lingers, &unknown,
			LINGERS_YES, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED);
}

void
linger_missed(void)
{
	FCGIPM_PUT(local->lingers, (uint32_t)LINGERS_NEVER);
}
