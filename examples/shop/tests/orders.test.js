'use strict';

const assert = require('node:assert/strict');
const { describe, it } = require('node:test');
const { get, json, keep, mailsTo, order, someone, MAILHOG } = require('./shop');

describe('an order', () => {
  it('is answered with its number and its price', async () => {
    const { status, body } = await order({ sku: 'TEA-EARL-GREY', quantity: 2, email: someone() });
    console.log(`order ${body.id} costs ${body.total}`);
    assert.equal(status, 201);
    assert.match(body.id, /^\d+$/);
    assert.equal(body.total, '13.80 EUR');
  });

  it('can be looked up again', async () => {
    const email = someone();
    const { body: placed } = await order({ sku: 'TEA-EARL-GREY', quantity: 1, email });
    const { status, body } = await get(`/orders/${placed.id}`);
    assert.equal(status, 200);
    assert.deepEqual(body, { id: placed.id, sku: 'TEA-EARL-GREY', quantity: 1, email, total: '6.90 EUR' });
  });

  it('is confirmed by an e-mail', async () => {
    const email = someone();
    const { body: placed } = await order({ sku: 'TEA-EARL-GREY', quantity: 3, email });
    const [mail, ...others] = await mailsTo(email);
    keep('confirmation.json', mail);
    assert.equal(others.length, 0);
    assert.deepEqual(mail.Content.Headers.Subject, [`Your order ${placed.id}`]);
    assert.equal(`${mail.From.Mailbox}@${mail.From.Domain}`, 'orders@shop.example');
    assert.match(mail.Content.Body, /3 x Earl Grey, 100 g\r?\nTotal: 20\.70 EUR/);
  });

  it('is listed among all mails of the shop', async () => {
    const email = someone();
    await order({ sku: 'TEA-EARL-GREY', quantity: 1, email });
    await mailsTo(email);
    const { body } = await json(`${MAILHOG}/api/v2/messages?limit=250`);
    assert.ok(body.items.some(({ To }) => To.some(({ Mailbox, Domain }) => `${Mailbox}@${Domain}` === email)));
  });

  for (const [what, wish, expected] of [
    ['of nothing', { sku: 'TEA-EARL-GREY', quantity: 0, email: 'a@example.com' }, 400],
    ['of more than anyone may have', { sku: 'TEA-EARL-GREY', quantity: 11, email: 'a@example.com' }, 400],
    ['of what is not sold', { sku: 'COFFEE', quantity: 1, email: 'a@example.com' }, 404],
    ['that is no JSON', 'one tea, please', 400],
  ]) {
    it(`${what} is refused`, async () => {
      const { status, body } = await order(wish);
      console.log(`refused: ${body.error}`);
      assert.equal(status, expected);
    });
  }
});
