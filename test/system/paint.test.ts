/** Colours are decided once and handed in. */
import { describe, expect, it } from 'vitest';
import { createPaint, wantsColours } from '../../src/system/paint.ts';

describe('paint', () => {
  it('paints only where it was told to', () => {
    expect(createPaint({ colours: true }).red('x')).toBe('\u001b[31mx\u001b[39m');
    expect(createPaint({ colours: false }).red('x')).toBe('x');
  });

  it('a terminal gets colours, a pipe and NO_COLOR do not', () => {
    expect(wantsColours({ terminal: true, noColor: undefined })).toBe(true);
    expect(wantsColours({ terminal: true, noColor: '' })).toBe(true);
    expect(wantsColours({ terminal: true, noColor: '1' })).toBe(false);
    expect(wantsColours({ terminal: false, noColor: undefined })).toBe(false);
  });
});
