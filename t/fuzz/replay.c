/*
 * replay.c - main() of a fuzz target in `make check`: feeds it files
 *
 *	fuzz_NAME [FILE...]
 *
 * Without FILE nothing at all, then each file of t/fuzz/corpus/NAME.  Every
 * input runs in a child of its own, so that one that crashes or hangs is
 * named and the others still run.  Prints TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuzz.h"

/* An input takes milliseconds, under a sanitizer too. */
enum { SECONDS_MAX = 30 };

static unsigned told;
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
			fprintf(stderr, "%s: not read to its end\n", path);
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

/* One input, NULL for an empty one. */
static void
replay(const char *path)
{
	const char *name = path ? path : "no byte";
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		feed(path);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid > 0 && status == 0) {
		printf("ok %u - %s\n", ++told, name);
		return;
	}
	failed = true;
	printf("not ok %u - %s\n# %s %d\n", ++told, name,
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
	char *folder, *path;
	int i, n;

	if (argc > 1) {
		for (i = 1; i < argc; i++)
			replay(argv[i]);
		printf("1..%u\n", told);
		return failed;
	}
	folder = mem_printf("%s/t/fuzz/corpus/%s", src ? src : ".",
		name ? name + 1 : "");
	n = scandir(folder, &list, is_input, alphasort);
	if (n <= 0) {
		printf("Bail out! no corpus in %s\n", folder);
		return 1;
	}
	replay(NULL);
	for (i = 0; i < n; i++) {
		path = mem_printf("%s/%s", folder, list[i]->d_name);
		replay(path);
		free(path);
		free(list[i]);
	}
	free(list);
	free(folder);
	printf("1..%u\n", told);
	return failed;
}
