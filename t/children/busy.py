#!/usr/bin/python3
# busy.py - reads by recv(2), and uses the CPU for a quarter of a second per
# request.  "busy.py child" reads by read(2), in a child process.
import os
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fcgi_records import Request  # noqa: E402

in_child = "child" in sys.argv
if in_child and os.fork() > 0:
    os.wait()
    sys.exit()


def read(peer):
    return os.read(peer.fileno(), 4096) if in_child else peer.recv(4096)


listener = socket.socket(fileno=0)
while True:
    peer, _ = listener.accept()
    with peer:
        request = Request()
        while data := read(peer):
            for answer in request.feed(data):
                end = time.monotonic() + 0.25
                while time.monotonic() < end:
                    pass
                peer.sendall(answer)
