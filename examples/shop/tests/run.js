'use strict';

// Runs the test files that are named, or all of them: readable lines here, JUnit XML in reports/.

const { mkdirSync, readdirSync } = require('node:fs');
const { spawnSync } = require('node:child_process');
const path = require('node:path');

const all = readdirSync(__dirname).filter((name) => name.endsWith('.test.js'));
const files = process.argv.length > 2 ? process.argv.slice(2) : all.map((name) => path.join('tests', name));

for (const folder of ['reports', 'artifacts']) mkdirSync(folder, { recursive: true });
const { status, error } = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    '--test-reporter=./tests/junit.js',
    '--test-reporter-destination=reports/junit.xml',
    ...files,
  ],
  { stdio: 'inherit' },
);
if (error) console.error(error.message);
process.exit(status ?? 1);
