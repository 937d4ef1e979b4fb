'use strict';

// As much of Redis' protocol (RESP2) as the shop needs, over one connection that is made again when it is lost.

const net = require('node:net');

class Redis {
  constructor(url) {
    const { hostname, port } = new URL(url);
    this.address = { host: hostname, port: Number(port || 6379) };
    this.waiting = [];
  }

  send(...words) {
    const command = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('');
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.connection().write(`*${words.length}\r\n${command}`);
    });
  }

  connection() {
    if (this.socket) return this.socket;
    let received = Buffer.alloc(0);
    this.socket = net.connect(this.address);
    this.socket.setNoDelay(true);
    this.socket.on('data', (chunk) => {
      received = this.settle(Buffer.concat([received, chunk]));
    });
    this.socket.on('error', (error) => this.lose(error));
    this.socket.on('close', () => this.lose(new Error('Redis closed the connection')));
    return this.socket;
  }

  settle(received) {
    for (;;) {
      const reply = parse(received, 0);
      if (!reply) return received;
      const { resolve, reject } = this.waiting.shift();
      reply.value instanceof Error ? reject(reply.value) : resolve(reply.value);
      received = received.subarray(reply.end);
    }
  }

  lose(error) {
    this.socket = undefined;
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}

function parse(bytes, start) {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd < 0) return undefined;
  const text = bytes.toString('utf8', start + 1, lineEnd);
  const end = lineEnd + 2;
  switch (String.fromCharCode(bytes[start])) {
    case '+':
      return { value: text, end };
    case '-':
      return { value: new Error(text), end };
    case ':':
      return { value: Number(text), end };
    case '$':
      return parseBulk(bytes, end, Number(text));
    case '*':
      return parseArray(bytes, end, Number(text));
    default:
      return { value: new Error(`Redis answered ${text}`), end };
  }
}

function parseBulk(bytes, start, length) {
  if (length < 0) return { value: null, end: start };
  const end = start + length;
  return bytes.length < end + 2 ? undefined : { value: bytes.toString('utf8', start, end), end: end + 2 };
}

function parseArray(bytes, start, length) {
  const value = [];
  let end = start;
  while (value.length < length) {
    const item = parse(bytes, end);
    if (!item) return undefined;
    value.push(item.value);
    end = item.end;
  }
  return { value, end };
}

module.exports = { Redis };
