'use strict';

// JUnit XML from Node's test runner: Node 18 has no such reporter of its own.

const path = require('node:path');

module.exports = async function* junit(source) {
  const open = [];
  const cases = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      open.length = data.nesting;
      if (open.length) open[open.length - 1].hasTests = true;
      open.push({ name: data.name });
    } else if (type === 'test:pass' || type === 'test:fail') {
      const current = open[data.nesting];
      const failedItself = type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed';
      const parents = open.slice(0, data.nesting).map(({ name }) => name);
      if (!current?.hasTests || failedItself) cases.push(testCase(type, data, parents));
    }
  }
  yield document(cases);
};

function testCase(type, data, parents) {
  const names = parents.filter((name) => !name.endsWith('.js'));
  const file = data.file ?? parents.find((name) => name.endsWith('.js')) ?? '';
  const relative = path.isAbsolute(file) ? path.relative(process.cwd(), file) : file;
  const failure = type === 'test:fail' && !data.skip ? data.details.error : undefined;
  return {
    attributes: {
      name: data.name,
      classname: names.join(' > ') || path.basename(relative),
      file: relative,
      time: (data.details.duration_ms / 1000).toFixed(6),
    },
    skipped: data.skip !== undefined && data.skip !== false,
    failure: failure && (failure.cause ?? failure),
  };
}

function document(cases) {
  const failures = cases.filter(({ failure }) => failure).length;
  const skipped = cases.filter((one) => one.skipped).length;
  const counts = { name: 'integration', tests: cases.length, failures, skipped };
  return `<?xml version="1.0" encoding="utf-8"?>\n<testsuites>\n<testsuite${attributes(counts)}>\n${cases
    .map(element)
    .join('')}</testsuite>\n</testsuites>\n`;
}

function element({ attributes: values, skipped, failure }) {
  const head = `<testcase${attributes(values)}`;
  if (skipped) return `${head}><skipped/></testcase>\n`;
  if (!failure) return `${head}/>\n`;
  const message = failure.message ?? String(failure);
  return `${head}><failure${attributes({ message, type: failure.name ?? 'Error' })}>${escape(
    failure.stack ?? message,
  )}</failure></testcase>\n`;
}

function attributes(values) {
  return Object.entries(values)
    .map(([key, value]) => ` ${key}="${escape(String(value))}"`)
    .join('');
}

function escape(text) {
  const printable = text.replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd]/g, '\ufffd');
  return printable.replace(/[&<>"\n]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '&#10;' })[c]);
}
