/*
 * arrive.c - a worker that reports its start, to measure the time until all run
 *
 *	arrive FIFO
 *
 * Writes one byte to the FIFO and accepts indefinitely.  It does very little,
 * so the program that starts it is measured.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_WRONLY | O_CLOEXEC) : -1;

	if (fd < 0 || write(fd, "1", 1) != 1)
		return 1;
	close(fd);
	while ((fd = accept(0, NULL, NULL)) >= 0)
		close(fd);
	return 0;
}
