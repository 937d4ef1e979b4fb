'use strict';

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { get, mailsTo, order, redis, someone } = require('./shop');

const left = async (sku) => Number(await redis('HGET', 'stock', sku));

describe('the stock', () => {
  it('is in Redis, where the next release finds it', async () => {
    const { body } = await get('/catalogue');
    const mug = body.find(({ sku }) => sku === 'MUG-BLUE');
    assert.equal(mug.stock, await left('MUG-BLUE'));
  });

  it('goes down by what was ordered', async () => {
    const before = await left('MUG-BLUE');
    await order({ sku: 'MUG-BLUE', quantity: 1, email: someone() });
    console.log(`mugs: ${before} before, ${before - 1} after`);
    assert.equal(await left('MUG-BLUE'), before - 1);
  });

  it('never goes below nought, however many customers come at once', async () => {
    const before = await left('POT-CAST-IRON');
    const wishes = Array.from({ length: before + 4 }, () => ({ sku: 'POT-CAST-IRON', quantity: 1, email: someone() }));
    const answers = await Promise.all(wishes.map((wish) => order(wish)));
    const sold = answers.filter(({ status }) => status === 201).length;
    console.log(`${wishes.length} customers, ${sold} pots sold`);
    assert.equal(sold, before);
    assert.ok(answers.every(({ status }) => status === 201 || status === 409));
    assert.equal(await left('POT-CAST-IRON'), 0);
  });

  it('that is too small sends no confirmation', async () => {
    const email = someone();
    const { status } = await order({ sku: 'POT-CAST-IRON', quantity: 10, email });
    assert.equal(status, 409);
    assert.deepEqual(await mailsTo(email, { within: 100 }), []);
  });
});
