/*
 * describe.c - formats a process's current state as text; see describe.h
 *
 * Called by timeout/watchdog, timeout/slowlog and pool/snapshot.  Reads with
 * sys/inspect and sys/procfs, and through observe/prober what these may not
 * read.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/mem.h"
#include "observe/describe.h"
#include "observe/prober.h"
#include "observe/processes.h"
#include "sys/inspect.h"
#include "sys/procfs.h"

void
describe_brief(struct prober *p, pid_t pid, char *buf, size_t size)
{
	char *text;

	if (inspect_brief(pid, buf, size) < 0 && processes_is_denied(errno)) {
		text = prober_brief(p, pid);
		if (text)
			snprintf(buf, size, "%s", text);
		free(text);
	}
}

/* Writes a text of the prober, which may contain any bytes: split into lines
 * and escaped. */
static void
put_lines(FILE *out, const char *text)
{
	char *line, *clean;
	size_t len;

	for (; *text; text += len + (text[len] != '\0')) {
		len = strcspn(text, "\n");
		line = mem_strndup(text, len);
		clean = escape_text(line);
		fprintf(out, "%s\n", clean ? clean : "?");
		free(clean);
		free(line);
	}
}

void
describe_report(struct prober *p, pid_t pid, FILE *out)
{
	char *own = NULL, *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&own, &len);

	if (!f)
		return;
	if (inspect_report(pid, f) < 0 && processes_is_denied(errno))
		text = prober_report(p, pid);
	if (fclose(f) == 0 && !text)
		fwrite(own, 1, len, out);
	if (text)
		put_lines(out, text);
	free(text);
	free(own);
}

uint64_t
describe_reads(struct prober *p, pid_t pid)
{
	uint64_t n = inspect_reads(pid);

	return n == UINT64_MAX && processes_is_denied(errno) ?
		prober_reads(p, pid) : n;
}

int
describe_is_static(struct prober *p, pid_t pid)
{
	int rc = procfs_is_static(pid);

	return rc < 0 && processes_is_denied(errno) ? prober_is_static(p, pid) : rc;
}
