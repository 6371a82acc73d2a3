#!/usr/bin/python3
# echo.py - echo.c in Python, with its own FastCGI code, because no module is
# maintained.  Serves one request per connection.
import os
import socket
import struct
import time


def records(f):
    while True:
        head = f.read(8)
        if len(head) < 8:
            return
        _, kind, number, length, padding, _ = struct.unpack(">BBHHBB", head)
        content = f.read(length)
        f.read(padding)
        yield kind, number, content


def record(kind, number, content):
    return struct.pack(">BBHHBB", 1, kind, number, len(content), 0, 0) + content


def serve(peer):
    body, number = b"", 1
    with peer, peer.makefile("rb") as f:
        for kind, number, content in records(f):
            if kind == 5 and not content:
                break
            if kind == 5:
                body += content
        else:
            return
        peer.sendall(record(6, number, b"Content-Type: text/plain\r\n\r\n"
                            b"pid: %d\n\n" % os.getpid()))
        time.sleep(0.002)
        if body:
            peer.sendall(record(6, number, body))
        peer.sendall(record(6, number, b"") +
                     record(3, number, struct.pack(">IBxxx", 0, 0)))


listener = socket.socket(fileno=0)
while True:
    try:
        serve(listener.accept()[0])
    except ConnectionError:
        pass
