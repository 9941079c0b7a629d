// The storefront: one HTML page and a small JSON API, made of what the other services answer.
import http from 'node:http';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const env = (name) => process.env[name] ?? fail(`${name} is not set`);
const fail = (message) => { log('error', message); process.exit(1); };
const log = (level, message, more = {}) =>
  console.log(JSON.stringify({ time: new Date().toISOString(), level, message, ...more }));

const catalogue = env('CATALOGUE_URL');
const cart = env('CART_URL');
const orders = env('ORDERS_URL');

const { shop } = grpc.loadPackageDefinition(protoLoader.loadSync(
  fileURLToPath(new URL('../proto/shop.proto', import.meta.url)), { keepCase: true, defaults: true }));
const channel = { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 1000 };
const users = new shop.Users(
  env('USERS_ADDR'), grpc.credentials.createInsecure(), channel);
const recommendations = new shop.Recommendations(
  env('RECOMMENDATIONS_ADDR'), grpc.credentials.createInsecure(), channel);

// An error that the caller of the storefront gets to see.
class ShopError extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

// Calls another service over HTTP; answers its JSON. Those behind it wait less long for what they need themselves,
// so that an error names the one that failed. Orders gets more time: it calls several, one after the other.
async function call(service, url, { method = 'GET', body, timeout = 2000 } = {}) {
  let response, text;
  try {
    response = await fetch(url, {
      method,
      headers: body && { 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
    });
    text = await response.text();
  } catch (error) {
    const why = error.name === 'TimeoutError' ? `no answer within ${timeout} ms` : error.cause?.message || error.cause?.code || error.message;
    throw new ShopError(503, `${service} is not available: ${why}`);
  }
  let json;
  try { json = JSON.parse(text); } catch { /* not from our services: an error page of something in between */ }
  if (response.ok && json !== undefined) return json;
  const { status } = response;
  const said = typeof json?.error === 'string' ? json.error : `${service} answered ${status}: ${text.trim().slice(0, 200)}`;
  throw new ShopError((status >= 400 && status < 500) || status === 503 ? status : 502, said);
}

// The same over gRPC.
const statuses = { [grpc.status.NOT_FOUND]: 404, [grpc.status.INVALID_ARGUMENT]: 400 };
function rpc(service, client, method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, { deadline: Date.now() + 2000 }, (error, reply) => {
      if (!error) return resolve(reply);
      const status = statuses[error.code];
      reject(status ? new ShopError(status, error.details)
        : new ShopError(503, `${service} is not available: ${error.details || grpc.status[error.code]}`));
    });
  });
}

const getUser = (id) => rpc('users', users, 'GetUser', { id });
const getProducts = () => call('catalogue', `${catalogue}/products`);
const getCart = (user) => call('cart', `${cart}/carts/${encodeURIComponent(user)}`);
const recommend = (ids) => rpc('recommendations', recommendations, 'Recommend', { product_ids: ids, limit: 3 });

// ---- the page ----

const escapes = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
const h = (text) => String(text).replace(/[&<>"']/g, (c) => escapes[c]);
const money = (cents) => `€${(cents / 100).toFixed(2)}`;

async function page(userId) {
  // Each part that can't be had is said on the page; the rest of it stays useful.
  const problems = [];
  const or = (fallback) => (error) => { problems.push(error.message); return fallback; };
  const [user, products, { items }] = await Promise.all([
    getUser(userId).catch(or({ name: userId })),
    getProducts().catch(or([])),
    getCart(userId).catch(or({ items: [] })),
  ]);
  const { product_ids: ids } = await recommend(items.map((i) => i.product)).catch(or({ product_ids: [] }));
  const byId = new Map(products.map((p) => [p.id, p]));
  const name = (id) => byId.get(id)?.name ?? id;
  const buy = (id) => `<button data-product="${h(id)}">add</button>`;
  const rows = (list, none) => list.map((row) => `<li>${row}</li>`).join('\n') || `<li><i>${none}</i></li>`;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The shop in the row house</title>
<style>body { font: 16px/1.5 sans-serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem } .problem { color: #b00 }</style>
<h1>The shop in the row house</h1>
<p>Hello, ${h(user.name)}.</p>
${problems.map((p) => `<p class="problem">${h(p)}</p>`).join('\n')}
<h2>Products</h2>
<ul>${rows(products.map((p) => `${h(p.name)}, ${money(p.price_cents)} ${buy(p.id)}`), 'none')}</ul>
<h2>You may also like</h2>
<ul>${rows(ids.map((id) => `${h(name(id))} ${buy(id)}`), 'nothing just now')}</ul>
<h2>Your cart</h2>
<ul>${rows(items.map((i) => `${h(i.quantity)} × ${h(name(i.product))}`), 'empty')}</ul>
<p><button id="order">Place the order</button> <b id="said"></b></p>
<script>
const user = ${JSON.stringify(userId).replaceAll('<', '\\u003c')};
const post = (url, body) => fetch(url, { method: 'POST', body: JSON.stringify({ user, ...body }) }).then((r) => r.json());
const say = (text) => { document.getElementById('said').textContent = text; };
document.querySelectorAll('[data-product]').forEach((button) => button.onclick = async () => {
  const { error } = await post('/api/cart', { product: button.dataset.product, quantity: 1 });
  error ? say(error) : location.reload();
});
document.getElementById('order').onclick = async () => {
  const { error, id } = await post('/api/orders');
  say(error ?? 'Thank you! Your order has the number ' + id + '.');
};
</script></html>
`;
}

// ---- the API ----

async function body(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > 10_000) throw new ShopError(413, 'the request is too long');
  }
  try {
    return Object(JSON.parse(text));
  } catch {
    throw new ShopError(400, 'the body must be JSON');
  }
}

// Answers [status, body]: an object as JSON, a string as HTML.
async function route(request) {
  const url = new URL(`http://web${request.url}`);
  const user = url.searchParams.get('user');
  const order = url.pathname.match(/^\/api\/orders\/([^/]+)$/);
  switch (order ? `${request.method} order` : `${request.method} ${url.pathname}`) {
    case 'GET /': return [200, await page(user || 'ada')];
    case 'GET /healthz': return [200, { status: 'ok' }];
    case 'GET /api/products': return [200, await getProducts()];
    case 'GET /api/cart':
      if (!user) throw new ShopError(400, 'say whose cart: /api/cart?user=ada');
      return [200, await getCart(user)];
    case 'POST /api/cart': {
      const { user, product, quantity = 1 } = await body(request);
      if (typeof user !== 'string' || typeof product !== 'string') {
        throw new ShopError(400, 'user and product are needed');
      }
      await Promise.all([getUser(user), call('catalogue', `${catalogue}/products/${encodeURIComponent(product)}`)]);
      const url = `${cart}/carts/${encodeURIComponent(user)}`;
      return [200, await call('cart', url, { method: 'POST', body: { product, quantity } })];
    }
    case 'POST /api/orders': {
      const { user } = await body(request);
      return [201, await call('orders', `${orders}/orders`, { method: 'POST', body: { user }, timeout: 12000 })];
    }
    case 'GET order': return [200, await call('orders', `${orders}/orders/${order[1]}`)];
    default: throw new ShopError(404, `no such page: ${request.method} ${url.pathname}`);
  }
}

const server = http.createServer(async (request, response) => {
  const started = performance.now();
  let status, answer;
  try {
    [status, answer] = await route(request);
  } catch (error) {
    status = error.status ?? 500;
    answer = { error: error.message };
    if (!error.status) log('error', error.stack);
  }
  const html = typeof answer === 'string';
  response.writeHead(status, { 'content-type': html ? 'text/html; charset=utf-8' : 'application/json' });
  response.end(html ? answer : JSON.stringify(answer) + '\n');
  if (request.url === '/healthz') return;
  const level = status < 400 ? 'info' : status < 500 ? 'warn' : 'error';
  const more = { status, ms: Math.round(performance.now() - started), ...(status >= 400 && { error: answer.error }) };
  log(level, `${request.method} ${request.url}`, more);
});
server.on('error', (error) => fail(`cannot listen on port 80: ${error.code}`));
server.listen(80, () => log('info', 'listening on port 80'));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0)); // finishes what it is answering, but not at any price
  setTimeout(() => process.exit(0), 800);
});
