#!/usr/bin/python3
# fcgi.py - a FastCGI program that needs only the standard library: serves one
# connection at a time, supports FCGI_KEEP_CONN, and answers with its PID.  It
# exits with status 0 when accept() fails.
#
# The first argument says how it reads and writes: recv, read, readv, recvfrom,
# recvmsg, bytes (one at a time). poll waits in select() for a non-blocking
# listening socket. fork serves each connection in a child. env prints the
# environment of a program that it executes. syscall closes without the C
# library after the client has closed.
import errno
import os
import select
import signal
import socket
import subprocess
import sys

HOW = sys.argv[1] if len(sys.argv) > 1 else "recv"
BEGIN, ABORT, END, PARAMS, STDIN, STDOUT = range(1, 7)


def read_some(conn, most):
    fd = conn.fileno()
    if HOW == "read":
        return os.read(fd, most)
    if HOW == "readv":
        parts = [bytearray(3), bytearray(5), bytearray(8192)]
        n = os.readv(fd, parts)
        return b"".join(bytes(p) for p in parts)[:n]
    if HOW == "recvfrom":
        return conn.recvfrom(most)[0]
    if HOW == "recvmsg":
        return conn.recvmsg(most)[0]
    if HOW == "bytes":
        conn.recv(1, socket.MSG_PEEK)
        return conn.recv(1)
    return conn.recv(most)


def write_all(conn, data):
    fd = conn.fileno()
    while data:
        if HOW == "read":
            n = os.write(fd, data)
        elif HOW == "readv":
            n = os.writev(fd, [data[:7], data[7:]])
        elif HOW == "recvmsg":
            n = conn.sendmsg([data[:3], data[3:]])
        elif HOW == "bytes":
            n = conn.send(data[:1])
        else:
            n = conn.send(data)
        data = data[n:]


class Reader:
    def __init__(self, conn):
        self.conn = conn
        self.data = b""

    def take(self, n):
        while len(self.data) < n:
            more = read_some(self.conn, 65536)
            if not more:
                raise EOFError
            self.data += more
        part, self.data = self.data[:n], self.data[n:]
        return part

    def record(self):
        h = self.take(8)
        content = self.take(h[4] << 8 | h[5])
        self.take(h[6])
        return h[1], content


def record(kind, content):
    pad = -len(content) % 8
    return (bytes([1, kind, 0, 1, len(content) >> 8, len(content) & 255, pad,
                   0]) + content + bytes(pad))


def page():
    text = "Hello.\npid: %d\n" % os.getpid()
    if HOW == "env":
        text += subprocess.run(["sh", "-c", "env; ls -l /proc/self/fd"],
                               stdout=subprocess.PIPE, text=True,
                               close_fds=False).stdout
    return text.encode()


def serve(conn):
    reader = Reader(conn)
    keep = True
    try:
        while keep:
            kind, content = reader.record()
            while kind != STDIN or content:
                if kind == BEGIN:
                    keep = bool(content[2] & 1)
                kind, content = reader.record()
            out = b"Content-Type: text/plain\r\n\r\n" + page()
            write_all(conn, record(STDOUT, out) + record(STDOUT, b"") +
                      record(END, bytes(8)))
        if HOW == "syscall":
            conn.shutdown(socket.SHUT_WR)
            read_some(conn, 1)
    except (EOFError, ConnectionError):
        pass
    if HOW == "syscall":
        os.closerange(conn.fileno(), conn.detach() + 1)
    else:
        conn.close()


listener = socket.socket(fileno=0)
if HOW == "poll":
    listener.setblocking(False)
if HOW == "fork":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    try:
        if HOW == "poll":
            select.select([listener], [], [])
        accepted = listener.accept()[0]
    except OSError as e:
        if e.errno == errno.EAGAIN:
            continue
        sys.exit(0)
    accepted.setblocking(True)
    if HOW == "fork" and os.fork() == 0:
        serve(accepted)
        os._exit(0)
    elif HOW == "fork":
        accepted.close()
    else:
        serve(accepted)
