/*
 * place.c - default paths: finds the control socket when no key sets it; see
 * conf.h
 *
 * Called by master/control to open it, ctl/supervisor to connect to it, and
 * conf/dump.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"

#define CONTROL_NAME "control.sock"

/* A variable that holds an absolute path, or a list of them: the first one. */
static const char *
directory_in(const char *variable, size_t *ret_len)
{
	const char *value = getenv(variable);

	if (!value || value[0] != '/')
		return NULL;
	*ret_len = strcspn(value, ":");
	return value;
}

char *
conf_control_place(void)
{
	const char *directory;
	size_t len;

	directory = directory_in("RUNTIME_DIRECTORY", &len);
	if (directory)
		return mem_printf("%.*s/" CONTROL_NAME, (int)len, directory);
	if (geteuid() == 0)
		return mem_strdup("/run/fcgipm/" CONTROL_NAME);
	directory = directory_in("XDG_RUNTIME_DIR", &len);
	if (directory)
		return mem_printf("%.*s/fcgipm/" CONTROL_NAME, (int)len,
			directory);
	return NULL;
}
