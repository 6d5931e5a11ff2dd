/** Asks the rules about one record, exactly: which of them want it, and what they captured. Knows nothing of streams. */
import type { CompiledRules, Entry } from './compile.ts';
import { type Captures, evaluate } from './conditions.ts';
import type { RecordSubject } from './subject.ts';

/** So many records with fewer entries are cheaper tested one by one than by a set. */
const fewEntries = 6;

export interface Hit {
  readonly entry: Entry;
  readonly captures: Captures;
}

/** Every rule that wants the record; `allowed` says of each entry whether it looks at this stream at all. */
export function hitsOf(rules: CompiledRules, subject: RecordSubject, allowed: readonly boolean[]): Hit[] {
  const { entries, every, targets } = rules;
  let asked: readonly number[];
  if (entries.length <= fewEntries) asked = allOf(entries.length);
  else {
    const found = rules.tested
      ? rules.test.match(subject.searchedBytes).flatMap((at) => targets[at] ?? [])
      : [];
    asked = every.length === 0 && found.length < 2 ? found : [...found, ...every].sort((a, b) => a - b);
  }
  const hits: Hit[] = [];
  for (const at of asked) {
    const entry = entries[at];
    if (entry === undefined || !allowed[at]) continue;
    const compute = entry.computed.length === 0 ? null : computing(entry, subject);
    const captures = evaluate(entry.conditions, subject, entry.testsComputed ? compute : null);
    if (captures === null) continue;
    if (!entry.testsComputed) compute?.(captures);
    hits.push({ entry, captures });
  }
  return hits;
}

const ranges: number[][] = [];
function allOf(count: number): readonly number[] {
  let range = ranges[count];
  if (!range) {
    range = Array.from({ length: count }, (_, at) => at);
    ranges[count] = range;
  }
  return range;
}

function computing(entry: Entry, subject: RecordSubject): (captures: Captures) => void {
  return (captures) => {
    for (const { name, template } of entry.computed)
      captures[name] = template.render(subject.scope(captures));
  };
}
