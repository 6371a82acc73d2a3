/*
 * test_fd.c - tests base/fd: passing descriptors between processes
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "descriptors.h"

enum { MANY = 5 };

/* A socket pair, and descriptors to pass; count_descriptors() sees these and
 * their copies, but not the sockets. */
struct stage {
	int at[2];
	int files[MANY];
	size_t before;
};

static struct stage
stage_open(void)
{
	struct stage s;
	int i;

	cr_assert_eq(socketpair(AF_UNIX,
		SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s.at), 0);
	for (i = 0; i < MANY; i++) {
		s.files[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		cr_assert_geq(s.files[i], 0);
	}
	s.before = count_descriptors();
	return s;
}

static void
stage_close(struct stage *s)
{
	int i;

	cr_expect_eq(count_descriptors(), s->before,
		"a descriptor was left open");
	for (i = 0; i < MANY; i++)
		close(s->files[i]);
	close(s->at[0]);
	close(s->at[1]);
}

/* A message that fd_send() would not make. */
static void
send_control(int sock, const char *text, int type, const int *v, size_t n)
{
	union {
		struct cmsghdr header;
		uint8_t bytes[CMSG_SPACE(MANY * sizeof(int))];
	} ctl = {.bytes = {0}};
	struct iovec iov = {(void *)text, strlen(text)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &ctl,
		.msg_controllen = CMSG_SPACE(n * sizeof(*v))};

	ctl.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
		.cmsg_type = type, .cmsg_len = CMSG_LEN(n * sizeof(*v))};
	memcpy(CMSG_DATA(&ctl.header), v, n * sizeof(*v));
	cr_assert_eq(sendmsg(sock, &m, 0), (ssize_t)strlen(text), "%s",
		strerror(errno));
}

Test(fd, a_message_passes_without_a_descriptor)
{
	struct stage s = stage_open();
	char text[8] = "";
	int fd = 99;

	cr_assert_eq(fd_send(s.at[0], "hello", 5, -1), 0);
	cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), 5);
	cr_expect_str_eq(text, "hello");
	cr_expect_eq(fd, -1);
	stage_close(&s);
}

Test(fd, a_message_passes_with_a_descriptor)
{
	struct stage s = stage_open();
	struct stat sent, came;
	char text[5] = "";
	int fd = -1;

	cr_assert_eq(fd_send(s.at[0], "hello", 5, s.files[0]), 0);
	cr_expect_eq(fcntl(s.files[0], F_GETFD), FD_CLOEXEC,
		"the sender keeps it");
	cr_assert_eq(fd_receive(s.at[1], text, sizeof(text), &fd), 5);
	cr_expect_arr_eq(text, "hello", 5);
	cr_assert_geq(fd, 0);
	cr_expect_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert_eq(fstat(s.files[0], &sent), 0);
	cr_assert_eq(fstat(fd, &came), 0);
	cr_expect_eq(sent.st_rdev, came.st_rdev);
	close(fd);
	stage_close(&s);
}

/* Two fit into the padding after one; of five the kernel drops three. */
Test(fd, more_than_one_descriptor_is_an_error_and_all_are_closed)
{
	struct stage s = stage_open();
	char text[8];
	size_t n;
	int fd;

	for (n = 2; n <= MANY; n++) {
		fd = 99;
		send_control(s.at[0], "x", SCM_RIGHTS, s.files, n);
		errno = 0;
		cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), -1);
		cr_expect_eq(errno, EPROTO, "%s", strerror(errno));
		cr_expect_eq(fd, -1);
		cr_expect_eq(count_descriptors(), s.before, "of %zu", n);
	}
	stage_close(&s);
}

/* A message without its descriptor would mean something else. */
Test(fd, a_descriptor_lost_at_the_limit_is_an_error)
{
	struct stage s = stage_open();
	struct rlimit lim, low;
	char text[8];
	int fd = 99;

	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &lim), 0);
	low = (struct rlimit){3, lim.rlim_max};
	cr_assert_eq(fd_send(s.at[0], "hello", 5, s.files[0]), 0);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
	errno = 0;
	cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), -1);
	cr_expect_eq(errno, EPROTO);
	cr_expect_eq(fd, -1);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &lim), 0);
	stage_close(&s);
}

/* Its numbers are not descriptors, and must not be closed. */
Test(fd, other_control_data_is_not_taken_for_descriptors)
{
	struct stage s = stage_open();
	const int ids[3] = {getpid(), (int)getuid(), (int)getgid()};
	char text[8];
	int on = 1, fd = 99;

	cr_assert_eq(setsockopt(s.at[1], SOL_SOCKET, SO_PASSCRED, &on,
		sizeof(on)), 0);
	send_control(s.at[0], "x", SCM_CREDENTIALS, ids, 3);
	cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), -1,
		"the control data does not fit");
	cr_expect_eq(fd, -1);
	cr_expect_geq(fcntl(0, F_GETFD), 0, "uid 0 is not a descriptor");
	stage_close(&s);
}

Test(fd, a_message_that_is_too_long_is_an_error)
{
	struct stage s = stage_open();
	char text[4];
	int fd = 99;

	cr_assert_eq(fd_send(s.at[0], "hello", 5, s.files[0]), 0);
	errno = 0;
	cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), -1);
	cr_expect_eq(errno, EMSGSIZE);
	cr_expect_eq(fd, -1);
	stage_close(&s);
}

Test(fd, a_closed_channel_is_reported_to_both_ends)
{
	struct stage s = stage_open();
	char text[8];
	int fd = 99;

	cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), -1);
	cr_expect_eq(errno, EAGAIN, "nothing came");
	/* An empty message means the end, too; its descriptor is closed. */
	send_control(s.at[0], "", SCM_RIGHTS, s.files, 1);
	cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), 0);
	cr_expect_eq(fd, -1);
	close(s.at[0]);
	s.at[0] = -1;
	cr_expect_eq(fd_receive(s.at[1], text, sizeof(text), &fd), 0);
	cr_expect_eq(fd_send(s.at[1], "x", 1, -1), -1);
	cr_expect_eq(errno, EPIPE, "and no signal");
	cr_expect_eq(fd_send(s.at[1], "x", 1, 12345), -1);
	stage_close(&s);
}
