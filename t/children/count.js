#!/usr/bin/env node
// count.js - count.c in JavaScript, for Node: polls, many connections.
'use strict';
const net = require('net');

function record(kind, id, content) {
  const head = Buffer.from([1, kind, id >> 8, id & 255,
    content.length >> 8, content.length & 255, 0, 0]);
  return Buffer.concat([head, content]);
}

function serve(peer) {
  let buf = Buffer.alloc(0);
  let body = 0;
  let keep = false;
  peer.on('error', () => peer.destroy());
  peer.on('data', (data) => {
    buf = Buffer.concat([buf, data]);
    while (buf.length >= 8) {
      const length = buf.readUInt16BE(4);
      const end = 8 + length + buf[6];
      if (buf.length < end)
        return;
      const kind = buf[1];
      const id = buf.readUInt16BE(2);
      if (kind === 1) {
        body = 0;
        keep = (buf[10] & 1) !== 0;
      } else if (kind === 5 && length > 0) {
        body += length;
      } else if (kind === 5) {
        peer.write(Buffer.concat([
          record(6, id, Buffer.from(
            `Content-Type: text/plain\r\n\r\nbytes: ${body}\n`)),
          record(6, id, Buffer.alloc(0)),
          record(3, id, Buffer.alloc(8))]));
        if (!keep)
          peer.end();
      }
      buf = buf.subarray(end);
    }
  });
}

net.createServer(serve).listen({fd: 0});
