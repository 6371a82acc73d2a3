/*
 * arrive.c - a worker that tells when it is there: the time until all are up
 *
 *	arrive FIFO
 *
 * Writes one byte into the FIFO and accepts for ever.  It does so little that
 * what is measured is who starts it.
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
