/*
 * log.h - one event, one line
 *
 * Text may hold bytes of clients and children: what is not printable is
 * escaped (base/escape).  Lines that repeat are counted and told
 * once.  A reader of our stderr that stops reading costs lines, never time:
 * they are counted as dropped.
 */
#ifndef FCGIPM_BASE_LOG_H
#define FCGIPM_BASE_LOG_H

#include <stdbool.h>
#include <sys/types.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE,
	LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/*
 * log_open - where lines go from now on; stderr until it is called
 *
 * target	"stderr", "syslog" or a path, opened for appending (0640)
 * returns	0, or -1 with errno and the old target kept
 */
int log_open(const char *target, enum log_level level, enum log_format format);
/* A file as log_open() opens one, for lines of another kind, with further flags
 * of open(2); a descriptor, or -1 with errno. */
int log_open_file(const char *path, int flags, mode_t mode);
/* Opens the same path again, after it was renamed; 0, or -1 with errno. */
int log_reopen(void);
/* The program's name in front of lines on stderr, "" for none. */
void log_ident(const char *name);
/* Lines without time stamp and level, for a process whose stderr is read by
 * the supervisor, which adds both. */
void log_bare(void);
/* Errors and warnings go to stderr too, while a caller waits for -D. */
void log_echo(bool on);
/* Writes what is counted and not yet told. */
void log_flush(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
