'use strict';

// What the shop sells, what is left of it, and who ordered what.

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

class Shop {
  constructor({ redis, catalogue, mail, from, currency, maxPerOrder }) {
    Object.assign(this, { redis, catalogue, mail, from, currency, maxPerOrder });
  }

  async fillShelves() {
    for (const [sku, { stock }] of Object.entries(this.catalogue)) {
      await this.redis.send('HSETNX', 'stock', sku, String(stock));
    }
  }

  async list() {
    const products = [];
    for (const [sku, { title, cents }] of Object.entries(this.catalogue)) {
      const stock = Number(await this.redis.send('HGET', 'stock', sku));
      products.push({ sku, title, price: this.price(cents), stock });
    }
    return products;
  }

  async place({ sku, quantity, email }) {
    this.check({ sku, quantity, email });
    const left = await this.redis.send('HINCRBY', 'stock', sku, String(-quantity));
    if (left < 0) {
      await this.redis.send('HINCRBY', 'stock', sku, String(quantity));
      throw new Refusal(409, `only ${left + quantity} of ${sku} are left`);
    }
    const id = String(await this.redis.send('INCR', 'orders'));
    const total = this.price(this.catalogue[sku].cents * quantity);
    await this.redis.send('HSET', `order:${id}`, 'sku', sku, 'quantity', String(quantity), 'email', email, 'total', total);
    await this.mail(this.confirmation({ id, sku, quantity, email, total }));
    return { id, sku, quantity, email, total };
  }

  async order(id) {
    const flat = await this.redis.send('HGETALL', `order:${id}`);
    if (flat.length === 0) throw new Refusal(404, `there is no order ${id}`);
    const order = { id };
    for (let at = 0; at < flat.length; at += 2) order[flat[at]] = flat[at + 1];
    return { ...order, quantity: Number(order.quantity) };
  }

  check({ sku, quantity, email }) {
    if (!Object.hasOwn(this.catalogue, sku ?? '')) throw new Refusal(404, `there is no product ${sku}`);
    if (!Number.isInteger(quantity) || quantity < 1) throw new Refusal(400, 'quantity is a whole number from 1');
    if (quantity > this.maxPerOrder) throw new Refusal(400, `at most ${this.maxPerOrder} in one order`);
    if (!/^[^\s<>@]+@[^\s<>@]+$/.test(email ?? '')) throw new Refusal(400, 'email is no address');
  }

  confirmation({ id, sku, quantity, email, total }) {
    const { title } = this.catalogue[sku];
    return {
      from: this.from,
      to: email,
      subject: `Your order ${id}`,
      text: `Thank you!\n\n${quantity} x ${title}\nTotal: ${total}\n`,
    };
  }

  price(cents) {
    return `${(cents / 100).toFixed(2)} ${this.currency}`;
  }
}

module.exports = { Shop, Refusal };
