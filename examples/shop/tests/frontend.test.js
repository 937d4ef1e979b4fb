'use strict';

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { FRONTEND, json, keep } = require('./shop');

describe('the page', () => {
  it('is served with the name of the shop', async () => {
    const response = await fetch(FRONTEND);
    const page = await response.text();
    keep('page.html', page);
    assert.equal(response.status, 200);
    assert.match(page, /<h1>The Corner Shop<\/h1>/);
  });

  it('reaches the backend under /api', async () => {
    const { status, body } = await json(`${FRONTEND}/api/catalogue`);
    assert.equal(status, 200);
    assert.equal(body.length, 4);
    assert.ok(body.every(({ title, price }) => title && price.endsWith(' EUR')));
  });
});
