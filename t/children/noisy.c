/* noisy.c - FastCGI: at its start, writes one line of 60000 bytes, a line with
 * control bytes, and 20 equal lines to stderr, then serves. */
#include <fcgi_stdio.h>
#include <string.h>
#include <unistd.h>

static void
say(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(2, text, len);

		if (n <= 0)
			_exit(1);
		text += n;
		len -= (size_t)n;
	}
}

int
main(void)
{
	static char line[60001];
	int i;

	memset(line, 'n', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	say(line, sizeof(line));
	say("bell \a escape \033[31m end\n", 24);
	for (i = 0; i < 20; i++)
		say("again and again\n", 16);
	while (FCGI_Accept() >= 0)
		printf("Content-Type: text/plain\r\n\r\nquiet now\n");
	return 0;
}
