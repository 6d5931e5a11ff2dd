/**
 * Makes the log and the rules of the benchmark: mixed lines of a worker and its services, about one in a thousand matching.
 * The same seed gives the same bytes. Each rule has its own words, so that a set of 1,000 is 1,000 different patterns.
 */
import { closeSync, existsSync, openSync, statSync, writeSync } from 'node:fs';

/** A small generator of numbers (mulberry32): repeatable, fast. */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const words =
  'sync grade import export render index mail digest cleanup invoice payment report upload thumbnail webhook search merge notify archive restore'.split(
    ' ',
  );
const verbs = 'failed stalled refused expired vanished overflowed aborted rejected diverged starved'.split(
  ' ',
);

/** `count` rules, each a pattern as people write them. `line` gives a line that the rule matches. */
export function rulesOf(count) {
  return Array.from({ length: count }, (_, index) => {
    const word = words[index % words.length];
    const verb = verbs[Math.floor(index / words.length) % verbs.length];
    const number = String(index).padStart(4, '0');
    const shapes = [
      {
        pattern: `${word} job-${number} ${verb}: (?<reason>\\w+)`,
        line: (n) => `${word} job-${number} ${verb}: timeout after ${n}ms`,
      },
      {
        pattern: `Task ${word}\\.unit${number}\\[(?<id>[0-9a-f]+)\\] ${verb}`,
        line: (n) => `Task ${word}.unit${number}[${n.toString(16)}] ${verb} unexpectedly`,
      },
      {
        pattern: `${verb} while (?:reading|writing) ${word}-${number} at offset \\d+`,
        line: (n) => `${verb} while reading ${word}-${number} at offset ${n}`,
      },
      {
        pattern: `E${number}: ${word} ${verb}`,
        line: (n) => `E${number}: ${word} ${verb} for customer ${n}`,
      },
    ];
    return { id: `rule-${number}`, ...shapes[index % shapes.length] };
  });
}

const quiet = [
  (n, word) => `Task ${word}.tasks.run[${((n * 2654435761) >>> 0).toString(16)}] received`,
  (n, word) =>
    `Task ${word}.tasks.run[${((n * 2654435761) >>> 0).toString(16)}] succeeded in 0.${n % 1000}s: None`,
  (n, word) => `GET /api/v1/${word}/${n} 200 ${n % 90000} bytes in ${n % 300}ms user=${n % 5000}`,
  (n, word) => `cache hit ratio for ${word} is 0.${n % 100} over the last minute, ${n % 4000} keys live`,
  (n, word) =>
    `connection from 10.0.${n % 256}.${(n >> 8) % 256} accepted, pool ${word} has ${n % 64} free of 64`,
  (n, word) => `scheduler: next run of ${word} in ${n % 3600}s, queue length ${n % 120}, workers ${n % 16}`,
];

/**
 * Writes the log unless it is there. `matching`: one line in so many is one that a rule of `rules` matches. `wrap(text, time, random)`
 * gives the line of a text.
 */
export function makeLog({ path, bytes, rules, matching, celery, wrap }) {
  if (existsSync(path) && statSync(path).size >= bytes) return;
  const random = randomOf(20260105);
  const fd = openSync(path, 'w');
  let written = 0;
  let n = 0;
  let time = Date.UTC(2026, 0, 5, 10, 0, 0);
  while (written < bytes) {
    let block = '';
    while (block.length < 1 << 20) {
      n++;
      time += n % 3;
      const stamp = new Date(time).toISOString();
      const head = wrap
        ? 'INFO '
        : celery
          ? `[${stamp.slice(0, 10)} ${stamp.slice(11, 19)},${stamp.slice(20, 23)}: INFO/ForkPoolWorker-${n % 8}] `
          : `${stamp} worker-${n % 8} app[${1000 + (n % 500)}]: INFO `;
      const word = words[Math.floor(random() * words.length)];
      const value = Math.floor(random() * 1e9);
      const loud = random() * matching < 1;
      const text = loud
        ? rules[Math.floor(random() * rules.length)].line(value)
        : quiet[Math.floor(random() * quiet.length)](value, word);
      block += wrap ? `${wrap(head + text, time, random)}\n` : `${head}${text}\n`;
    }
    const buffer = Buffer.from(block);
    writeSync(fd, buffer);
    written += buffer.length;
  }
  closeSync(fd);
}
