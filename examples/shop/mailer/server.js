// The mailer: keeps the mails that it is told to send in an outbox, in memory, where tests can look at them.
import http from 'node:http';

const outbox = [];

async function json(request) {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk;
    if (text.length > 10_000) return undefined;
  }
  try { return JSON.parse(text); } catch { return undefined; }
}

// Answers [status, body].
async function route(request) {
  const url = new URL(`http://mailer${request.url}`);
  if (url.pathname !== '/mails') return [404, { error: 'there is only /mails' }];
  if (request.method === 'GET') {
    const user = url.searchParams.get('user');
    return [200, outbox.filter((mail) => !user || mail.user === user)];
  }
  if (request.method !== 'POST') return [405, { error: 'GET or POST' }];
  const { user, subject, body = '' } = Object(await json(request));
  if (typeof user !== 'string' || typeof subject !== 'string') return [400, { error: 'user and subject are needed' }];
  const mail = { id: outbox.length + 1, user, subject, body, time: new Date().toISOString() };
  outbox.push(mail);
  return [202, mail];
}

const server = http.createServer(async (request, response) => {
  const [status, answer] = await route(request).catch((error) => [500, { error: error.message }]);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(answer) + '\n');
  console.log(`${request.method} ${request.url} ${status}`);
});
server.listen(8025, () => console.log('mailer is listening on port 8025'));
process.on('SIGTERM', () => {
  server.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 800);
});
