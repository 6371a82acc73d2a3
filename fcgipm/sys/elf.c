/*
 * elf.c - can a library be preloaded into a program?  See elf.h
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/util.h"
#include "sys/elf.h"

/* Of a file that claims more, no more is believed. */
#define SEGMENTS_MAX 64

static int
find_loader(int fd, const ElfW(Ehdr) *head)
{
	ElfW(Phdr) segment;
	unsigned i;

	for (i = 0; i < MIN(head->e_phnum, (unsigned)SEGMENTS_MAX); i++) {
		off_t at = (off_t)(head->e_phoff + i * sizeof(segment));

		if (pread(fd, &segment, sizeof(segment), at) !=
			(ssize_t)sizeof(segment))
			break;
		if (segment.p_type == PT_INTERP)
			return 0;
	}
	return 1;
}

int
elf_is_static(const char *path)
{
	const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 :
							  ELFCLASS32;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ElfW(Ehdr) head;
	int rc = -1;
	ssize_t n;

	if (fd < 0)
		return -1;
	n = pread(fd, &head, sizeof(head), 0);
	if (n != (ssize_t)sizeof(head) ||
		memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
		head.e_ident[EI_CLASS] != class ||
		head.e_phentsize != sizeof(ElfW(Phdr)))
		errno = n < 0 ? errno : ENOEXEC;
	else
		rc = find_loader(fd, &head);
	fd_close(&fd);
	return rc;
}
