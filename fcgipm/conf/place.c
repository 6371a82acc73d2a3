/*
 * place.c - where things are that the configuration does not place; see
 * conf.h
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"

#define CONTROL_NAME "control.sock"

/* A variable that holds an absolute path, or a list of such. */
static const char *
folder_in(const char *variable, size_t *ret_len)
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
	const char *folder;
	size_t len;

	folder = folder_in("RUNTIME_DIRECTORY", &len);
	if (folder)
		return mem_printf("%.*s/" CONTROL_NAME, (int)len, folder);
	if (geteuid() == 0)
		return mem_strdup("/run/fcgipm/" CONTROL_NAME);
	folder = folder_in("XDG_RUNTIME_DIR", &len);
	if (folder)
		return mem_printf("%.*s/fcgipm/" CONTROL_NAME, (int)len,
			folder);
	return NULL;
}
