/** Lines and JSON from a stream: ends of lines, limits, early ends. */
import { type AddressInfo, connect, createServer } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { expect, it, onTestFinished } from 'vitest';
import { readJsonLines, readLines } from '../../src/system/ndjson.ts';

async function linesOf(stream: Readable, maxLength = 100): Promise<string[]> {
  const lines: string[] = [];
  await readLines(stream, (line) => lines.push(line), { maxLength });
  return lines;
}

it('lines end in LF or CRLF, the last one in nothing', async () => {
  expect(await linesOf(Readable.from([Buffer.from('a\r\nb\n\nc'), Buffer.from('d')]))).toEqual([
    'a',
    'b',
    '',
    'cd',
  ]);
});

it('a letter that is cut between two chunks is whole again', async () => {
  const bytes = Buffer.from('ä🔔\n');
  expect(await linesOf(Readable.from([...bytes].map((byte) => Buffer.from([byte]))))).toEqual(['ä🔔']);
});

it('a line of exactly the limit is read, one over it ends the reading, complete or not', async () => {
  expect(await linesOf(Readable.from([Buffer.from(`${'x'.repeat(100)}\r\ny`)]))).toEqual([
    'x'.repeat(100),
    'y',
  ]);
  for (const end of ['\nnext\n', ''])
    await expect(linesOf(Readable.from([Buffer.from('x'.repeat(102) + end)]))).rejects.toMatchObject({
      code: 'E_LINE_LENGTH',
    });
});

it('a stream that breaks or a reader that throws rejects, and nothing is read after it', async () => {
  const broken = new PassThrough();
  const reading = linesOf(broken);
  broken.write('a\n');
  broken.destroy(new Error('cut'));
  await expect(reading).rejects.toThrow('cut');
  let seen = 0;
  const throwing = readLines(
    Readable.from([Buffer.from('a\nb\nc\n')]),
    () => {
      seen += 1;
      throw new Error('no');
    },
    { maxLength: 10 },
  );
  await expect(throwing).rejects.toThrow('no');
  expect(seen).toBe(1);
});

it('a stream closed early resolves without its unfinished line', async () => {
  const stream = new PassThrough();
  const reading = linesOf(stream);
  stream.write('a\nhalf');
  await new Promise((resolve) => setImmediate(resolve));
  stream.destroy();
  expect(await reading).toEqual(['a']);
});

it('a socket whose requests have ended can still be answered', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const values: unknown[] = [];
    const bad: string[] = [];
    void readJsonLines(socket, (value) => values.push(value), {
      maxLength: 1000,
      onBad: (line) => bad.push(line),
    }).then(() => socket.end(JSON.stringify({ values, bad })));
  });
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end('{"a":1}\n\n[2]\nnot json\n"last"');
  const [answer] = await linesOf(socket, 1000);
  expect(JSON.parse(answer ?? '')).toEqual({ values: [{ a: 1 }, [2], 'last'], bad: ['not json'] });
});
