#!/usr/bin/python3
# count.py - count.c in Python, blocking
#
#	count.py [PORT N]
#
# First opens N connections to that port of 127.0.0.1, N pairs of unix sockets
# and N datagram sockets, as programs with many database connections do.
import os
import resource
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fcgi_records import Request  # noqa: E402

foreign = []
if len(sys.argv) > 2:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for _ in range(int(sys.argv[2])):
        foreign.append(socket.create_connection(
            ("127.0.0.1", int(sys.argv[1]))))
        foreign += socket.socketpair()
        foreign.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

# A copy of descriptor 0, so that accept(2) is called with another number.
listener = socket.fromfd(0, *[
    socket.socket(fileno=os.dup(0)).getsockopt(socket.SOL_SOCKET, o)
    for o in (socket.SO_DOMAIN, socket.SO_TYPE)])
while True:
    peer, _ = listener.accept()
    with peer:
        request, open_ = Request(), True
        while open_:
            data = peer.recv(4096)
            if not data:
                break
            for answer in request.feed(data):
                peer.sendall(answer)
                open_ = request.keep
