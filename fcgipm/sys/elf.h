/*
 * elf.h - can a library be preloaded into a program?
 */
#ifndef FCGIPM_SYS_ELF_H
#define FCGIPM_SYS_ELF_H

/*
 * elf_is_static - is there no loader in it that LD_PRELOAD speaks to?
 *
 * path		a file, or the exe entry of a process in /proc
 * returns	1 yes, 0 no; -1 with errno, ENOEXEC for what is no program of
 *		this machine's class, as a script
 * elf(5), PT_INTERP
 */
int elf_is_static(const char *path);

#endif
