/*
 * descriptors.h - counts the descriptors of this process, to find leaks
 */
#ifndef FCGIPM_T_DESCRIPTORS_H
#define FCGIPM_T_DESCRIPTORS_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * Ignores eventfds, epolls and sockets: the thread of the test library opens
 * some while a test begins.
 */
static inline size_t
count_descriptors(void)
{
	char path[32], leads_to[64];
	size_t n = 0;
	ssize_t len;
	int fd;

	for (fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, leads_to, sizeof(leads_to) - 1);
		if (len < 0)
			continue;
		leads_to[len] = '\0';
		n += strncmp(leads_to, "anon_inode:[event", 17) != 0 &&
			strncmp(leads_to, "socket:", 7) != 0;
	}
	return n;
}

#endif
