// A callee on port 8080: HTTP/1.1 with a WebSocket that sends back what it gets.
import http from 'node:http';
import { WebSocketServer } from 'ws';

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  request.pipe(response);
});
new WebSocketServer({ server }).on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
server.listen(8080);
