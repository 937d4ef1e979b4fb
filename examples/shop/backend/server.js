'use strict';

// The shop's HTTP API: catalogue, stock and orders.

const http = require('node:http');
const { readFileSync } = require('node:fs');
const { Redis } = require('./redis');
const { Shop, Refusal } = require('./shop');
const { sendMail } = require('./mail');

const { PORT = '3001', REDIS_URL = 'redis://localhost:6379', SMTP_URL = 'smtp://localhost:1025' } = process.env;

const redis = new Redis(REDIS_URL);
const shop = new Shop({
  redis,
  catalogue: JSON.parse(readFileSync(process.env.CATALOGUE || '/etc/shop/catalogue.json', 'utf8')),
  mail: (message) => sendMail(SMTP_URL, message),
  from: process.env.MAIL_FROM || 'orders@shop.example',
  currency: process.env.CURRENCY || 'EUR',
  maxPerOrder: Number(process.env.MAX_PER_ORDER || 10),
});

const routes = [
  ['GET', /^\/health$/, async () => [200, { redis: await redis.send('PING') }]],
  ['GET', /^\/catalogue$/, async () => [200, await shop.list()]],
  ['GET', /^\/orders\/(\d+)$/, async (_, id) => [200, await shop.order(id)]],
  ['POST', /^\/orders$/, async (request) => [201, await shop.place(await readJson(request))]],
];

async function readJson(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 10_000) throw new Refusal(413, 'the order is too long');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'the order is no JSON');
  }
}

async function answer(request) {
  const { pathname } = new URL(request.url, 'http://shop');
  for (const [method, path, handle] of routes) {
    const match = path.exec(pathname);
    if (match && request.method === method) return handle(request, ...match.slice(1));
  }
  throw new Refusal(404, `there is nothing at ${request.method} ${pathname}`);
}

const server = http.createServer(async (request, response) => {
  let status, body;
  try {
    [status, body] = await answer(request);
  } catch (error) {
    status = error instanceof Refusal ? error.status : 500;
    body = { error: error.message };
    if (status === 500) console.error(`failed: ${request.method} ${request.url}: ${error.stack}`);
  }
  if (request.url !== '/health') console.log(`${request.method} ${request.url} ${status}`);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});

async function main() {
  await shop.fillShelves();
  server.listen(Number(PORT), () => console.log(`the shop listens on port ${PORT}`));
}

process.on('SIGTERM', () => server.close(() => process.exit(0)));
main().catch((error) => {
  console.error(`cannot start: ${error.message}`);
  process.exit(1);
});
