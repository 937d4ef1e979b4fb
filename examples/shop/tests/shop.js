'use strict';

// How the tests reach the stack: by the names of the services in docker-compose.qa.yml.

const net = require('node:net');
const { writeFileSync } = require('node:fs');

const BACKEND = process.env.BACKEND_URL || 'http://backend:3001';
const FRONTEND = process.env.FRONTEND_URL || 'http://frontend';
const MAILHOG = process.env.MAILHOG_URL || 'http://mailhog:8025';

async function json(url, options) {
  const response = await fetch(url, options);
  return { status: response.status, body: await response.json() };
}

const get = (path) => json(`${BACKEND}${path}`);

function order(wish) {
  const body = typeof wish === 'string' ? wish : JSON.stringify(wish);
  return json(`${BACKEND}/orders`, { method: 'POST', body });
}

// Asks Redis itself, past the backend. Simple replies only.
function redis(...words) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(6379, 'redis');
    socket.on('error', reject);
    socket.once('data', (reply) => {
      socket.end();
      const [first, second] = reply.toString().split('\r\n');
      resolve(first.startsWith('$') ? second : first.slice(1));
    });
    socket.write(`${words.join(' ')}\r\n`);
  });
}

// What MailHog caught for an address. Mail takes a moment: asks again until it is there.
async function mailsTo(address, { within = 3000 } = {}) {
  const url = `${MAILHOG}/api/v2/search?kind=to&query=${encodeURIComponent(address)}`;
  for (const end = Date.now() + within; ; ) {
    const { body } = await json(url);
    if (body.total > 0 || Date.now() > end) return body.items;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// Keeps something for whoever reads the report.
function keep(name, content) {
  writeFileSync(`artifacts/${name}`, typeof content === 'string' ? content : JSON.stringify(content, null, 2));
}

let count = 0;
const someone = () => `customer-${process.pid}-${Date.now()}-${(count += 1)}@example.com`;

module.exports = { FRONTEND, MAILHOG, get, json, keep, mailsTo, order, redis, someone };
