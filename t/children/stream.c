/*
 * stream.c - CGI: moves large bodies as QUERY_STRING says; "" answers and exits
 *
 *	echo	answers its body while it arrives
 *	count	reads its body, then prints its length, the number of bytes
 *		that differ from pattern(), and what its pipe holds
 *	gated	the same, after one byte of the gate
 *	early=N	reads so much of its body, closes it, waits for the gate
 *	held	answers a header, reads its body, waits for the gate
 *	deaf	never reads its body, never exits
 *	big=N	answers N bytes of the pattern
 *	pipe=N	the same, then prints what its pipe holds
 *	full=N	the same, after one byte of the gate
 *	noisy=N	the same, a line on stderr before each 64 KiB and at the end
 *	left=N	the same, with a child that holds the output until the gate has
 *		a byte
 *	loud=N	writes N bytes to stderr, then answers
 *	words=N	answers, closes its output, then writes N bytes to stderr
 *	events=N	answers N bytes of the pattern and a line for each
 *		byte of the gate, until that is a '.'
 *	pages=N	the same with the line written 1125 times: 9000 bytes
 *	stop	stops itself as by SIGSTOP
 *
 * The gate is the FIFO that GATE names.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER "Content-Type: text/plain\r\n\r\n"
#define BLOCK 65536

/* Byte i of the data in either direction; t/lib/stream.c has the same. */
static unsigned char
pattern(unsigned long long i)
{
	return (unsigned char)(i * 31 + (i >> 8) * 17 + (i >> 16) * 7);
}

static void
put(int fd, const void *p, size_t len)
{
	const char *at = p;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n <= 0)
			_exit(1);
		at += n;
		len -= (size_t)n;
	}
}

static void
put_pattern(unsigned long long len, int noisy)
{
	static unsigned char block[BLOCK];
	unsigned long long at = 0;
	char line[64];
	size_t n, i;

	while (at < len) {
		n = len - at < BLOCK ? (size_t)(len - at) : BLOCK;
		for (i = 0; i < n; i++)
			block[i] = pattern(at + i);
		if (noisy)
			put(2, line, (size_t)snprintf(line, sizeof(line),
				"at %llu\n", at));
		put(1, block, n);
		at += n;
	}
	if (noisy)
		put(2, "the end\n", 8);
}

/* Reads a byte of the gate, which is opened once. */
static char
pass_gate(void)
{
	static int fd = -1;
	char c = '.';

	if (fd < 0)
		fd = open(getenv("GATE"), O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, &c, 1) != 1)
		_exit(2);
	return c;
}

static void
echo(int body)
{
	static char block[BLOCK];
	ssize_t n;

	put(1, HEADER, sizeof(HEADER) - 1);
	while ((n = read(0, block, sizeof(block))) > 0)
		if (body)
			put(1, block, (size_t)n);
}

/* Reads up to max bytes of its body and prints what it got. */
static void
count(unsigned long long max)
{
	static unsigned char block[BLOCK];
	unsigned long long have = 0, wrong = 0;
	char text[128];
	ssize_t n = 1, i;

	while (have < max && n > 0) {
		n = read(0, block, max - have < BLOCK ?
			(size_t)(max - have) : BLOCK);
		for (i = 0; i < n; i++)
			wrong += block[i] != pattern(have + (size_t)i);
		have += n > 0 ? (size_t)n : 0;
	}
	put(1, text, (size_t)snprintf(text, sizeof(text),
		HEADER "read: %llu\nwrong: %llu\npipe: %d\n", have, wrong,
		fcntl(0, F_GETPIPE_SZ)));
}

static void
tell_pipe(void)
{
	char text[64];

	put(1, text, (size_t)snprintf(text, sizeof(text), "\npipe: %d\n",
		fcntl(1, F_GETPIPE_SZ)));
}

static void
leave_child(void)
{
	if (fork() != 0)
		return;
	close(2);
	pass_gate();
	_exit(0);
}

static void
tell_events(size_t lines)
{
	char text[9000], c;
	size_t i;

	while ((c = pass_gate()) != '.') {
		for (i = 0; i < lines; i++) {
			memcpy(text + i * 8, "event ?\n", 8);
			text[i * 8 + 6] = c;
		}
		put(1, text, lines * 8);
	}
}

static void
shout(unsigned long long left)
{
	static char block[BLOCK];
	size_t n;

	memset(block, 's', sizeof(block));
	for (n = 99; n < sizeof(block); n += 100)
		block[n] = '\n';
	for (; left > 0; left -= n) {
		n = left < BLOCK ? (size_t)left : BLOCK;
		put(2, block, n);
	}
}

int
main(void)
{
	const char *query = getenv("QUERY_STRING"), *eq;
	size_t word = strcspn(query ? query : "", "=");
	unsigned long long n;

	query = query ? query : "";
	eq = strchr(query, '=');
	n = eq ? strtoull(eq + 1, NULL, 10) : 0;
#define IS(name) (word == strlen(name) && memcmp(query, name, word) == 0)
	if (IS("echo")) {
		echo(1);
		return 0;
	}
	if (IS("stop"))
		raise(SIGSTOP);
	if (IS("gated") || IS("full"))
		pass_gate();
	if (IS("held")) {
		echo(0);
		pass_gate();
		return 0;
	}
	if (IS("deaf"))
		for (;;)
			pause();
	if (IS("count") || IS("gated"))
		count(~0ULL);
	else if (IS("early"))
		count(n);
	else if (IS("loud"))
		shout(n);
	if (!IS("count") && !IS("gated") && !IS("early"))
		put(1, HEADER, sizeof(HEADER) - 1);
	if (IS("early")) {
		close(0);
		pass_gate();
	}
	if (IS("big") || IS("full") || IS("pipe") || IS("noisy") || IS("left") ||
		IS("events") || IS("pages"))
		put_pattern(n, IS("noisy"));
	if (IS("pipe"))
		tell_pipe();
	if (IS("words")) {
		close(1);
		shout(n);
	}
	if (IS("left"))
		leave_child();
	if (IS("events") || IS("pages"))
		tell_events(IS("events") ? 1 : 1125);
	if (word == 0 || IS("loud") || IS("stop"))
		put(1, "served\n", 7);
	return 0;
}
