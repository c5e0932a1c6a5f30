// A node HTTP/1.1 server that writes the id of every POST to a log before anything else happens,
// so that the log survives a kill and tells how often each id arrived. The answer to a POST takes
// its time, so that a kill finds many that were acted on and not answered.
'use strict';
const fs = require('fs');
const http = require('http');

const [port, log] = process.argv.slice(2);
const ids = fs.openSync(log, 'a');
const small = Buffer.alloc(100, 'a');
const large = Buffer.alloc(16 * 1024, 'b');

const server = http.createServer((request, response) => {
  if (request.method === 'POST') {
    fs.writeSync(ids, `${request.headers['x-id']}\n`);
  }
  request.resume();
  request.on('end', () => {
    switch (request.url) {
      case '/100': return response.end(small);
      case '/16k': return response.end(large);
      case '/post': return setTimeout(() => response.end('ok'), 5);
      default: response.statusCode = 404; return response.end();
    }
  });
});
server.maxRequestsPerSocket = 100;
server.keepAliveTimeout = 1000;
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
