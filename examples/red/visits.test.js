'use strict';

// Three checks of a visitor counter in Redis; the second one is wrong, as a test is after a careless change.
// With names as arguments it runs only those.

const { mkdirSync, writeFileSync } = require('node:fs');
const net = require('node:net');

function redis(line) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(6379, 'redis', () => socket.write(`${line}\r\n`));
    socket.on('error', reject);
    socket.once('data', (reply) => socket.end(() => resolve(reply.toString().trim())));
  });
}

const checks = {
  'counts the first visitor': async () => equal(await redis('INCR visits'), ':1'),
  'counts the second visitor': async () => equal(await redis('INCR visits'), ':3'),
  'forgets them all': async () => equal(await redis('DEL visits'), ':1'),
};

const asked = process.argv.slice(2);
const isAsked = (name) => asked.length === 0 || asked.includes(name);

function equal(found, wanted) {
  if (found !== wanted) throw new Error(`expected ${wanted}, found ${found}`);
}

async function run(name, check) {
  try {
    await check();
    console.log(`ok      ${name}`);
    return `<testcase classname="visits" name="${name}" file="visits.test.js"/>`;
  } catch (error) {
    console.log(`FAILED  ${name}: ${error.message}`);
    return `<testcase classname="visits" name="${name}" file="visits.test.js"><failure message="${error.message}"/></testcase>`;
  }
}

(async () => {
  const cases = [];
  for (const [name, check] of Object.entries(checks).filter(([name]) => isAsked(name))) cases.push(await run(name, check));
  mkdirSync('reports', { recursive: true });
  writeFileSync('reports/junit.xml', `<testsuite name="visits">${cases.join('')}</testsuite>`);
  process.exit(cases.some((one) => one.includes('<failure')) ? 1 : 0);
})();
