/*
 * raw.h - makes system calls that do not change errno
 *
 * For a child that shares its parent's memory (sys/spawn): errno belongs to the
 * parent, which may be about to read it.  On machines that have no code below,
 * and with RAW_PORTABLE, syscall(2) is used.  Then RAW_KEEPS_ERRNO is 0, and
 * sys/spawn makes the parent wait or gives the child a copy of the memory.
 */
#ifndef FCGIPM_SYS_RAW_H
#define FCGIPM_SYS_RAW_H

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(RAW_PORTABLE)
#define RAW_KEEPS_ERRNO 0
#elif defined(__x86_64__)
#define RAW_KEEPS_ERRNO 1
static inline long
raw_call(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
		: "=a"(ret)
		: "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
		: "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
#define RAW_KEEPS_ERRNO 1
static inline long
raw_call(long nr, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0"
		: "+r"(x0)
		: "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
		: "memory");
	return x0;
}
#else
#define RAW_KEEPS_ERRNO 0
#endif

#if !RAW_KEEPS_ERRNO
static inline long
raw_call(long nr, long a, long b, long c, long d, long e)
{
	long ret = syscall(nr, a, b, c, d, e);

	return ret < 0 ? -errno : ret;
}
#endif

/* Converts an argument of any type. */
#define RAW_ARG(x) ((long)(intptr_t)(x))

/*
 * RAW(name, up to 5 arguments) - the result of the call, or -errno
 */
#define RAW(...) RAW_PAD(__VA_ARGS__, 0, 0, 0, 0, 0)
#define RAW_PAD(name, a, b, c, d, e, ...) \
	raw_call(SYS_##name, RAW_ARG(a), RAW_ARG(b), RAW_ARG(c), RAW_ARG(d), \
		RAW_ARG(e))

#endif
