'use strict';

// Sends one plain-text message by SMTP.

const net = require('node:net');
const readline = require('node:readline');

async function sendMail(url, { from, to, subject, text }) {
  const { hostname, port } = new URL(url);
  const socket = net.connect({ host: hostname, port: Number(port || 25) });
  socket.setTimeout(5000, () => socket.destroy(new Error('the mail server does not answer')));
  const replies = finalLines(socket);
  try {
    await expect(replies, 220);
    for (const [command, code] of [
      ['EHLO shop', 250],
      [`MAIL FROM:<${from}>`, 250],
      [`RCPT TO:<${to}>`, 250],
      ['DATA', 354],
      [body({ from, to, subject, text }), 250],
      ['QUIT', 221],
    ]) {
      socket.write(`${command}\r\n`);
      await expect(replies, code);
    }
  } finally {
    socket.destroy();
  }
}

async function* finalLines(socket) {
  for await (const line of readline.createInterface({ input: socket })) {
    if (/^\d{3}( |$)/.test(line)) yield line;
  }
}

async function expect(replies, code) {
  const { value, done } = await replies.next();
  if (done || !value.startsWith(String(code))) throw new Error(`the mail server said ${value ?? 'nothing'}`);
}

function body({ from, to, subject, text }) {
  const headers = [`From: The Shop <${from}>`, `To: ${to}`, `Subject: ${subject}`, `Date: ${new Date().toUTCString()}`];
  const lines = text.split('\n').map((line) => (line.startsWith('.') ? `.${line}` : line));
  return [...headers, 'MIME-Version: 1.0', 'Content-Type: text/plain; charset=utf-8', '', ...lines, '.'].join('\r\n');
}

module.exports = { sendMail };
