/*
 * replay.c - main() of a fuzz target in `make check`: runs input files
 *
 *	fuzz_NAME [FILE...]
 *
 * Without FILE it runs an empty input, then each file of t/fuzz/corpus/NAME.
 * Every input runs in a child process.  If one crashes or hangs, its name is
 * printed and the others still run.  Prints TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuzz.h"

/* An input takes milliseconds, even with a sanitizer. */
enum { SECONDS_MAX = 30 };

static unsigned count;
static bool failed;

static _Noreturn void
feed(const char *path)
{
	static uint8_t mem[1 << 20];
	FILE *file = path ? fopen(path, "re") : NULL;
	size_t len = 0;
	uint8_t *data;

	if (path && !file) {
		perror(path);
		exit(1);
	}
	if (file) {
		len = fread(mem, 1, sizeof(mem), file);
		if (ferror(file) || !feof(file)) {
			fprintf(stderr, "%s: cannot read to its end\n", path);
			exit(1);
		}
		fclose(file);
	}
	alarm(SECONDS_MAX);
	data = fuzz_copy(mem, len);
	(void)LLVMFuzzerTestOneInput(data, len);
	free(data);
	exit(0);
}

/* Runs one input, NULL for an empty one. */
static void
replay(const char *path)
{
	const char *name = path ? path : "empty input";
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		feed(path);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0) {
		printf("ok %u - %s\n", ++count, name);
		return;
	}
	failed = true;
	printf("not ok %u - %s\n# %s %d\n", ++count, name,
		WIFSIGNALED(status) ? "signal" : "exit status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int
is_input(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '_'), *src = getenv("FCGIPM_SRC");
	struct dirent **list = NULL;
	char *dir, *path;
	int i, n;

	if (argc > 1) {
		for (i = 1; i < argc; i++)
			replay(argv[i]);
		printf("1..%u\n", count);
		return failed;
	}
	dir = mem_printf("%s/t/fuzz/corpus/%s", src ? src : ".",
		name ? name + 1 : "");
	n = scandir(dir, &list, is_input, alphasort);
	if (n <= 0) {
		printf("Bail out! no corpus in %s\n", dir);
		return 1;
	}
	replay(NULL);
	for (i = 0; i < n; i++) {
		path = mem_printf("%s/%s", dir, list[i]->d_name);
		replay(path);
		free(path);
		free(list[i]);
	}
	free(list);
	free(dir);
	printf("1..%u\n", count);
	return failed;
}
