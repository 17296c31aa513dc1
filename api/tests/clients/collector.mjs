// A collector of spans for a test: keeps the bodies that arrive at /v1/traces in a file.
// usage: node collector.mjs PORT FILE
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, file] = process.argv.slice(2);
createServer((request, response) => {
  request.on('data', (part) => {
    if (request.url === '/v1/traces') appendFileSync(file, part);
  });
  request.on('end', () => response.end());
}).listen(Number(port), '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
