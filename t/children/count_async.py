#!/usr/bin/python3
# count_async.py - count.c in Python with asyncio: polls, many connections.
import asyncio
import os
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fcgi_records import Request  # noqa: E402


async def serve(reader, writer):
    request, open_ = Request(), True
    while open_:
        data = await reader.read(4096)
        if not data:
            break
        for answer in request.feed(data):
            writer.write(answer)
            await writer.drain()
            open_ = request.keep
    writer.close()


async def main():
    listener = socket.socket(fileno=0)
    start = (asyncio.start_unix_server
             if listener.family == socket.AF_UNIX else asyncio.start_server)
    await (await start(serve, sock=listener)).serve_forever()


asyncio.run(main())
