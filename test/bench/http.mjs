/**
 * The HTTP intake under load, 100 rules: records a second by kind of body, in batches of 1,000 over four connections, one record in 1,000
 * matching; and requests a second with one line each. Takes what the benchmark's main file gives it; prints its lines.
 */
import { Agent, request } from 'node:http';
import { freePort, peakMiB, thousands } from './measure.mjs';

const perBatch = 1_000;
const seconds = 4;

const time = '2026-01-05T10:00:00.123Z';
const json = (text, index) => ({ time, level: 'info', logger: 'app.tasks', msg: text, id: index });
const shipped = (text, index) => ({
  date: 1_767_607_200 + index / 1_000,
  log: `[2026-01-05 10:00:00,000: INFO/ForkPoolWorker-1] ${text}`,
  stream: 'stderr',
});

/** A body from texts, by kind. */
const kinds = {
  'lines of text': ['text/plain', (texts) => texts.map((text) => `2026-01-05 10:00:00 ${text}\n`).join('')],
  NDJSON: [
    'application/x-ndjson',
    (texts) => texts.map((text, n) => `${JSON.stringify(json(text, n))}\n`).join(''),
  ],
  'JSON array': ['application/json', (texts) => JSON.stringify(texts.map(json))],
  'Fluent Bit, JSON': ['application/json', (texts) => JSON.stringify(texts.map(shipped))],
  'Heroku Logplex': [
    'application/logplex-1',
    (texts) =>
      texts
        .map((text) => `<190>1 ${time} host app web.1 - ${text}\n`)
        .map((line) => `${line.length} ${line}`)
        .join(''),
  ],
  'OTLP, JSON': [
    'application/json',
    (texts) => {
      const logRecords = texts.map((text) => ({
        timeUnixNano: '1767607200000000000',
        severityNumber: 9,
        body: { stringValue: text },
      }));
      const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
      return JSON.stringify({
        resourceLogs: [{ resource, scopeLogs: [{ scope: { name: 'app' }, logRecords }] }],
      });
    },
  ],
};

export async function httpBench({ configFor, startDaemon, rulesOf }) {
  const rules = rulesOf(100);
  const port = await freePort();
  const child = await startDaemon(configFor(rules, `sources: { intake: { http: '127.0.0.1:${port}' } }\n`));
  const texts = Array.from({ length: perBatch }, (_, index) =>
    index === perBatch / 2 ? rules[7].line(index) : `request ${index} was served from the cache in 12 ms`,
  );
  console.log('\nHTTP, 100 rules, one record in 1,000 matching, answers after the commit');
  for (const [name, [type, make]] of Object.entries(kinds)) {
    const body = Buffer.from(make(texts));
    const rate = await requestsPerSecond(port, body, type, 4);
    const bytes = ((rate * body.length) / 1e6).toFixed(1);
    console.log(
      `  ${name}: ${thousands(rate * perBatch)} records/s in bodies of ${perBatch} (${bytes} MB/s)`,
    );
  }
  const one = Buffer.from('2026-01-05 10:00:00 request 1 was served from the cache in 12 ms\n');
  const rate = await requestsPerSecond(port, one, 'text/plain', 32);
  console.log(`  one line a request, 32 connections: ${thousands(rate)} requests/s`);
  console.log(`  peak memory ${Math.round(peakMiB(child.pid))} MiB`);
  child.kill('SIGKILL');
}

async function requestsPerSecond(port, body, type, connections) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const headers = { 'content-type': type, 'content-length': body.length };
  const post = () =>
    new Promise((resolve, reject) => {
      const sent = request({ agent, host: '127.0.0.1', port, method: 'POST', headers }, (answer) => {
        answer.resume();
        answer.on('end', () =>
          answer.statusCode === 200 ? resolve() : reject(new Error(`answered ${answer.statusCode}`)),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  const began = performance.now();
  const end = began + seconds * 1_000;
  let requests = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      for (; performance.now() < end; requests++) await post();
    }),
  );
  agent.destroy();
  return requests / ((performance.now() - began) / 1_000);
}
