/*
 * clients.c - limits a TCP listener to allowed networks; see clients.h
 *
 * Called by sys/listen and pool/stop.
 */
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cidr.h"
#include "sys/clients.h"

#define SOURCE_IPV4 12	/* offset of the source address, RFC 791 */
#define SOURCE_IPV6 8	/* RFC 8200 */
#define TCP_FLAGS 13	/* offset in the TCP header, RFC 9293 */
#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define MAX_INSNS 4096	/* BPF_MAXINSNS */

struct program {
	struct sock_filter *code;
	unsigned len;
};

static void
emit(struct program *p, unsigned code, unsigned k, unsigned char jf)
{
	p->code[p->len++] = (struct sock_filter){
		.code = (unsigned short)code,
		.jf = jf,
		.k = k,
	};
}

/* For each 32-bit word of the address: load, mask, compare.  A mismatch jumps
 * past the instruction that accepts. */
static void
emit_network(struct program *p, const struct cidr *c)
{
	unsigned words = c->family == AF_INET ? 1 : 4, i;
	unsigned at = c->family == AF_INET ? SOURCE_IPV4 : SOURCE_IPV6;

	for (i = 0; i < words; i++) {
		/* Still to come: 3 instructions for each word left, and the
		 * one that accepts. */
		unsigned char skip = (unsigned char)((words - i - 1) * 3 + 1);

		emit(p, BPF_LD | BPF_W | BPF_ABS,
			(unsigned)SKF_NET_OFF + at + i * 4, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, c->mask[i], 0);
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, c->net[i], skip);
	}
	emit(p, BPF_RET | BPF_K, 0xffffffffU, 0);
}

int
clients_attach(int fd, int family, const char *list)
{
	struct program p = {.len = 0};
	struct sock_fprog prog;
	const char *why;
	struct cidr c;
	int rc = -1, got;

	p.code = calloc(MAX_INSNS, sizeof(*p.code));
	if (!p.code)
		return -1;
	while ((got = cidr_next(&list, &c, &why)) == 1) {
		if (p.len + 14 > MAX_INSNS) {
			errno = ENOBUFS;
			goto out;
		}
		if (c.family == family)
			emit_network(&p, &c);
	}
	if (got < 0) {
		errno = EINVAL;
		goto out;
	}
	emit(&p, BPF_RET | BPF_K, 0, 0);
	prog = (struct sock_fprog){.len = (unsigned short)p.len,
		.filter = p.code};
	rc = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
out:
	free(p.code);
	return rc;
}

int
clients_refuse_all(int fd)
{
	/* For a TCP socket the packet begins at the TCP header. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TCP_SYN | TCP_ACK),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TCP_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffffU),
	};
	struct sock_fprog prog = {.len = 5, .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog,
		sizeof(prog));
}
