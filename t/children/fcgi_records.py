# fcgi_records.py - the part of FastCGI that the Python programs in this
# directory need; Debian has no module for it.
import struct


class Request:
    """Parses the requests of one connection from the bytes it is fed."""

    def __init__(self):
        self.buf, self.body, self.keep = b"", 0, False

    def feed(self, data):
        """Yields answers; keep then says whether to keep the connection."""
        self.buf += data
        while len(self.buf) >= 8:
            _, kind, number, length, padding = struct.unpack(
                ">BBHHB", self.buf[:7])
            if len(self.buf) < 8 + length + padding:
                return
            content = self.buf[8:8 + length]
            self.buf = self.buf[8 + length + padding:]
            if kind == 1:
                self.body, self.keep = 0, bool(content[2] & 1)
            elif kind == 5 and content:
                self.body += len(content)
            elif kind == 5:
                yield self.answer(number)

    def answer(self, number):
        text = b"Content-Type: text/plain\r\n\r\nbytes: %d\n" % self.body
        head = struct.Struct(">BBHHBB")
        return (head.pack(1, 6, number, len(text), 0, 0) + text +
                head.pack(1, 6, number, 0, 0, 0) +
                head.pack(1, 3, number, 8, 0, 0) + bytes(8))
