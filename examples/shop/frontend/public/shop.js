'use strict';

const rows = document.querySelector('#catalogue tbody');

async function show() {
  const products = await (await fetch('/api/catalogue')).json();
  rows.replaceChildren(...products.map(row));
}

function row(product) {
  const made = document.createElement('tr');
  const button = document.createElement('button');
  button.textContent = 'Order one';
  button.addEventListener('click', () => order(product.sku));
  for (const cell of [product.title, product.price, `${product.stock} left`, button]) {
    const td = document.createElement('td');
    td.append(cell);
    made.append(td);
  }
  return made;
}

async function order(sku) {
  const email = document.querySelector('#email').value;
  const response = await fetch('/api/orders', { method: 'POST', body: JSON.stringify({ sku, quantity: 1, email }) });
  const { id, error } = await response.json();
  document.querySelector('#answer').textContent = error ?? `Order ${id}: a confirmation is on its way to ${email}.`;
  await show();
}

show();
