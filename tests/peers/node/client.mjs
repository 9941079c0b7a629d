// client.mjs GO NODE GRPC: calls the three callees at these addresses, and says `ok` of each thing.
import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import grpc from '@grpc/grpc-js';
import { Agent, request } from 'undici';
import WebSocket from 'ws';

const [go, node, interop] = process.argv.slice(2);

// ---- messages of grpc.testing, by hand ----

const bytes = (value) => value;
const method = (name) => `/grpc.testing.TestService/${name}`;
const varint = (n) => (n < 128 ? [n] : [(n % 128) + 128, ...varint(Math.floor(n / 128))]);
const field = (number, content) => Buffer.from([...varint(number * 8 + 2), ...varint(content.length), ...content]);
const number = (place, n) => Buffer.from([...varint(place * 8), ...varint(n)]);
// StreamingOutputCallRequest: response_parameters = 2 { size = 1 }, and EchoStatus = 7 { code = 1, message = 2 }
const sizes = (...all) => Buffer.concat(all.map((size) => field(2, number(1, size))));

const checks = {
  'fetch': async () => {
    const answer = await fetch(`http://${node}/`, { method: 'POST', body: 'hello' });
    assert.equal(await answer.text(), 'hello');
  },
  'fetch of a stream': async () => {
    const body = new ReadableStream({
      start(out) { for (const part of ['a', 'b', 'c']) out.enqueue(Buffer.from(part)); out.close(); },
    });
    const answer = await fetch(`http://${node}/`, { method: 'POST', body, duplex: 'half' });
    assert.equal(await answer.text(), 'abc');
  },
  'undici with pipelining': async () => {
    const dispatcher = new Agent({ connections: 1, pipelining: 10 });
    const all = Array.from({ length: 50 }, async (_, i) => {
      const { body } = await request(`http://${go}/bytes?n=${i}`, { dispatcher });
      assert.equal((await body.arrayBuffer()).byteLength, i);
    });
    await Promise.all(all);
    await dispatcher.close();
  },
  'server-sent events': async () => {
    const answer = await fetch(`http://${go}/events`);
    const pieces = [];
    for await (const piece of answer.body) pieces.push(Buffer.from(piece).toString());
    assert.equal(pieces.length, 3, JSON.stringify(pieces));
    assert.match(pieces[2], /^id: 3\ndata: event 3/);
  },
  'abort': async () => {
    await assert.rejects(fetch(`http://${go}/held`, { signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
  },
  'WebSocket': async () => {
    const socket = new WebSocket(`ws://${node}/`);
    await once(socket, 'open');
    const large = Buffer.alloc(1_000_000, 7);
    for (const sent of [Buffer.from('hello'), large]) {
      socket.send(sent);
      const [back] = await once(socket, 'message');
      assert.ok(sent.equals(back));
    }
    const pong = once(socket, 'pong');
    socket.ping('p');
    await pong;
    socket.close(4001, 'enough');
    const [code] = await once(socket, 'close');
    assert.equal(code, 4001);
  },
  'many WebSockets': async () => {
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const socket = new WebSocket(`ws://${node}/`);
      await once(socket, 'open');
      socket.send(`${i}`);
      const [back] = await once(socket, 'message');
      assert.equal(String(back), `${i}`);
      socket.terminate();
    }));
  },
  'http2': async () => {
    const session = http2.connect(`http://${go}`);
    const all = Array.from({ length: 100 }, async (_, i) => {
      const stream = session.request({ ':path': `/bytes?n=${i * 1000}` });
      let length = 0;
      for await (const piece of stream) length += piece.length;
      assert.equal(length, i * 1000);
    });
    await Promise.all(all);
    const reset = session.request({ ':path': '/held' });
    reset.close(http2.constants.NGHTTP2_CANCEL);
    await once(reset, 'close');
    assert.match(await text(session.request({ ':path': '/version' })), /^HTTP/);
    session.close();
  },
  'grpc-js unary': async () => {
    const reply = await unary('UnaryCall', number(2, 1000)); // response_size = 2
    assert.ok(reply.length > 1000);
  },
  'grpc-js metadata and trailers': async () => {
    const metadata = new grpc.Metadata();
    metadata.set('x-grpc-test-echo-initial', 'first');
    metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from([0, 255, 1]));
    const seen = {};
    await new Promise((resolve, reject) => {
      const call = client.makeUnaryRequest(method('UnaryCall'), bytes, bytes, Buffer.alloc(0), metadata, (e) => e && reject(e));
      call.on('metadata', (m) => { seen.initial = m.get('x-grpc-test-echo-initial')[0]; });
      call.on('status', (s) => { seen.trailing = s.metadata.get('x-grpc-test-echo-trailing-bin')[0]; resolve(); });
    });
    assert.equal(seen.initial, 'first');
    assert.deepEqual([...seen.trailing], [0, 255, 1]);
  },
  'grpc-js status': async () => {
    const status = field(7, Buffer.concat([number(1, 2), field(2, Buffer.from('it is ☺\n'))]));
    await assert.rejects(unary('UnaryCall', status), { code: 2, details: 'it is ☺\n' });
    await assert.rejects(unary('Nothing', Buffer.alloc(0)), { code: grpc.status.UNIMPLEMENTED });
  },
  'grpc-js server streaming': async () => {
    const call = client.makeServerStreamRequest(method('StreamingOutputCall'), bytes, bytes, sizes(31415, 9, 2653, 58979));
    const lengths = [];
    for await (const reply of call) lengths.push(reply.length > 9);
    assert.deepEqual(lengths, [true, true, true, true]);
  },
  'grpc-js client streaming': async () => {
    // StreamingInputCallRequest { payload = 1 { body = 2 } }; the answer has aggregated_payload_size = 1
    const reply = await new Promise((resolve, reject) => {
      const call = client.makeClientStreamRequest(method('StreamingInputCall'), bytes, bytes, (e, r) => (e ? reject(e) : resolve(r)));
      for (let i = 0; i < 4; i += 1) call.write(field(1, field(2, Buffer.alloc(1000))));
      call.end();
    });
    assert.deepEqual([...reply], [...number(1, 4000)]);
  },
  'grpc-js both ways': async () => {
    const call = client.makeBidiStreamRequest(method('FullDuplexCall'), bytes, bytes);
    for (const size of [31415, 9, 2653, 58979]) {
      call.write(sizes(size));
      const [reply] = await once(call, 'data');
      assert.ok(reply.length >= size);
    }
    call.end();
    const [status] = await once(call.resume(), 'status');
    assert.equal(status.code, 0);
  },
  // Whoever is first, the callee that ends it or the caller that gives it up: its time is over.
  'grpc-js deadline': async () => {
    const calls = Array.from({ length: 100 }, async (_, place) => {
      const call = client.makeBidiStreamRequest(method('FullDuplexCall'), bytes, bytes, new grpc.Metadata(), { deadline: Date.now() + 50 + place });
      const [error] = await once(call.resume(), 'error');
      return error.code;
    });
    assert.deepEqual(await Promise.all(calls), calls.map(() => grpc.status.DEADLINE_EXCEEDED));
  },
  'grpc-js cancellation': async () => {
    const call = client.makeBidiStreamRequest(method('FullDuplexCall'), bytes, bytes);
    call.write(sizes(10));
    await once(call, 'data');
    call.cancel();
    const [error] = await once(call.resume(), 'error');
    assert.equal(error.code, grpc.status.CANCELLED);
  },
};

const client = new grpc.Client(interop, grpc.credentials.createInsecure());
const unary = (name, message) => new Promise((resolve, reject) => {
  client.makeUnaryRequest(method(name), bytes, bytes, message, (error, reply) => (error ? reject(error) : resolve(reply)));
});

let failed = 0;
for (const [name, run] of Object.entries(checks)) {
  try {
    await run();
    console.log(`ok ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED ${name}: ${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
