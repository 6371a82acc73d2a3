/*
 * log.h - writes log lines to stderr, syslog or a file
 *
 * Text may contain bytes of clients and children: it is escaped (base/escape).
 * Equal lines in a row are counted and logged once.  When the reader of stderr
 * does not read, lines are dropped and counted, so that logging never blocks
 * the process for long.
 */
#ifndef FCGIPM_BASE_LOG_H
#define FCGIPM_BASE_LOG_H

#include <stdbool.h>
#include <sys/types.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTICE,
	LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/*
 * log_open - sets the target of log lines, which is stderr before
 *
 * target	"stderr", "syslog" or a path, opened for appending (0640)
 * returns	0, or -1 with errno; the old target stays then
 */
int log_open(const char *target, enum log_level level, enum log_format format);
/* Opens a file in the same way for another log, with more flags of open(2); a
 * descriptor, or -1 with errno. */
int log_open_file(const char *path, int flags, mode_t mode);
/* Reopens the log file, after it was renamed; 0, or -1 with errno. */
int log_reopen(void);
/* The program's name before lines on stderr; "" for none. */
void log_ident(const char *name);
/* Lines without time and level, for a process whose stderr the supervisor
 * reads: it adds both. */
void log_bare(void);
/* Errors and warnings are also written to stderr, while the parent process of
 * -D waits. */
void log_echo(bool on);
/* Writes the number of repeats, if any. */
void log_flush(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
