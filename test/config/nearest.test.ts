import { expect, it } from 'vitest';
import { didYouMean, nearest } from '../../src/config/nearest.ts';

it('a slip of one or two letters finds the word', () => {
  expect(nearest('treshold', ['threshold', 'title'])).toBe('threshold');
  expect(nearest('mtach', ['match', 'limit'])).toBe('match');
  expect(nearest('Run-Book', ['runbook'])).toBe('runbook');
});
it('a different word finds nothing, and says what there is', () => {
  expect(nearest('cardinality', ['match', 'limit'])).toBeNull();
  expect(didYouMean('xyz', ['match', 'limit'], 'its keys are')).toBe('its keys are: match, limit');
  expect(nearest('', ['a'])).toBeNull();
  expect(nearest('x'.repeat(100_000), ['x'])).toBeNull();
});
