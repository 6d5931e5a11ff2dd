/** Whether some bytes are the content that is remembered. */
import { describe, expect, it } from 'vitest';
import { ContentMemory, compareContent, isTelling, type Peek } from '../../src/sources/identity.ts';

const content = Buffer.from(
  Array.from({ length: 100 }, (_, at) => `line ${String(at).padStart(4, '0')} of it\n`).join(''),
);

function peekOf(bytes: Buffer): Peek {
  return async (position, length) => bytes.subarray(position, position + length);
}

/** What is remembered of the content when the head was seen and this much was read. */
function read(offset: number) {
  const memory = new ContentMemory();
  memory.setHead(content);
  memory.advance(content.subarray(0, offset), offset, 0);
  return memory.facts(offset);
}

describe('the content that is remembered', () => {
  it('is the same where head and marker are', async () => {
    expect(await compareContent(read(1_000), content.length, peekOf(content))).toBe('same');
    expect(await compareContent(read(0), content.length, peekOf(content))).toBe('same');
  });

  it('is not a shorter file of which nothing proves that it is the same', async () => {
    const other = Buffer.from('something else\n');
    expect(await compareContent(read(0), other.length, peekOf(other))).toBe('other');
    expect(await compareContent(read(10), other.length, peekOf(other))).toBe('other');
  });

  it('is cut shorter where what is left is its beginning', async () => {
    const left = content.subarray(0, 600);
    expect(await compareContent(read(1_500), left.length, peekOf(left))).toBe('shorter');
  });

  it('is told from others by some place that was read, or by a head of some length', () => {
    const memory = new ContentMemory();
    expect(isTelling(memory.facts(0))).toBe(false);
    memory.setHead(content.subarray(0, 7));
    expect(isTelling(memory.facts(0))).toBe(false);
    expect(isTelling(memory.facts(7))).toBe(true);
    memory.setHead(content);
    expect(isTelling(memory.facts(0))).toBe(true);
  });
});
