/**
 * Gathers the rules of a configuration: those of packs, of rule files and of the main file itself. Lays the defaults
 * under each (main file, then rules file, then the rule's own keys, then a pack's override), has them parsed, and sees to it
 * that no id is there twice.
 */
import { basename, dirname, join } from 'node:path';
import type { Origin } from '../model/problem.ts';
import type { Rule } from '../model/rule.ts';
import { type MainValues, type PackValues, ruleFileShape } from './config-schema.ts';
import type { WrittenRule } from './destinations.ts';
import type { FileReader } from './file-reader.ts';
import { didYouMean } from './nearest.ts';
import {
  entryOf,
  originOf,
  pathOf,
  quoteShort,
  textOf,
  type YamlEntry,
  type YamlMap,
  type YamlNode,
} from './nodes.ts';
import { Reading } from './reading.ts';
import { defaultsShape, overridable } from './rule-schema.ts';

/** Keys of a rule that its tests don't see: neither what it finds, nor how grave it is, nor its title. */
const untestedKeys: readonly string[] = [
  'description',
  'message',
  'labels',
  'owner',
  'runbook',
  'links',
  'from',
  'hold',
  'remind',
  'limit',
  'context',
  'notify',
];

export interface PackRequest {
  readonly name: string;
  /** Where it was asked for; null on the command line. */
  readonly node: YamlNode | null;
  readonly settings: PackValues;
}

export class RuleGatherer {
  readonly #files: FileReader;
  readonly #reading: Reading;
  readonly #defaults: readonly YamlEntry[];
  readonly #ids = new Map<string, Origin>();
  readonly rules: Rule[] = [];
  /** Id -> the mapping of the rule, defaults merged in. */
  readonly mappings = new Map<string, YamlMap>();
  /** Every rule that is not disabled, the broken ones too: what they refer to is checked all the same. */
  readonly written: WrittenRule[] = [];
  readonly globs: string[] = [];
  readonly #filesRead = new Set<string>();

  constructor(files: FileReader, reading: Reading, defaults: YamlMap | undefined) {
    this.#files = files;
    this.#reading = reading;
    this.#defaults = this.#sound(defaults);
  }

  /** `rules:` of the main file: paths, globs, and rules themselves. */
  addListed(entries: MainValues['rules']): void {
    for (const { value, node } of entries ?? []) {
      if (typeof value !== 'string') {
        this.#add(value as YamlMap, this.#defaults, null);
        continue;
      }
      if (node.kind !== 'scalar') continue;
      const found = this.#files.ruleFiles(node, value, this.#reading);
      if (!found) continue;
      this.globs.push(found.glob);
      const within = value.startsWith('/') ? null : dirname(node.file.path);
      for (const path of found.paths) this.addFile(path, node, within);
    }
  }

  /** One rules file. A file that two globs name is read once. */
  addFile(path: string, node: YamlNode | null, within: string | null = null): void {
    if (this.#filesRead.has(path)) return;
    this.#filesRead.add(path);
    this.#addMapping(this.#files.yaml(path, this.#reading, node, within), null);
  }

  addPack(request: PackRequest, packsDir: string): void {
    const available = this.#files.glob(join(packsDir, '*.yaml')).map((path) => basename(path, '.yaml'));
    if (!available.includes(request.name)) {
      const message = `there is no pack ${quoteShort(request.name)}`;
      const hint = didYouMean(request.name, available, 'the packs are');
      if (request.node) this.#reading.error('E_UNKNOWN_PACK', request.node, message, hint);
      else
        this.#reading.errorAt(
          'E_UNKNOWN_PACK',
          { file: 'command line', line: 1, column: 1, length: 1 },
          '--pack',
          message,
          hint,
        );
      return;
    }
    const path = join(packsDir, `${request.name}.yaml`);
    if (this.#filesRead.has(path)) return;
    this.#filesRead.add(path);
    this.#addMapping(this.#files.yaml(path, this.#reading, request.node), request);
  }

  #addMapping(mapping: YamlMap | null, pack: PackRequest | null): void {
    const values = mapping ? ruleFileShape.read(mapping, this.#reading) : undefined;
    if (!values) return;
    const rules = values.rules ?? [];
    const disabled = new Set((pack?.settings.disable ?? []).map((id) => id.value));
    if (pack) this.#checkPackIds(pack, rules);
    const defaults = [...this.#sound(values.defaults), ...this.#defaults];
    for (const rule of rules) {
      const id = textOf(entryOf(rule, 'id')?.value) ?? '';
      if (disabled.has(id)) continue;
      const override = pack?.settings.override?.get(id)?.entry.value;
      this.#add(rule, defaults, pack ? (override?.kind === 'map' ? override.entries : []) : null);
    }
  }

  #checkPackIds(pack: PackRequest, rules: readonly YamlMap[]): void {
    const ids = rules.map((rule) => textOf(entryOf(rule, 'id')?.value) ?? '');
    const named = [
      ...(pack.settings.disable ?? []).map(({ value, node }) => ({ id: value, node })),
      ...[...(pack.settings.override ?? [])].map(([id, { entry }]) => ({ id, node: entry.keyNode })),
    ];
    for (const { id, node } of named) {
      if (ids.includes(id)) continue;
      const hint = didYouMean(id, ids, 'its rules are');
      this.#reading.error(
        'E_UNKNOWN_RULE',
        node,
        `the pack "${pack.name}" has no rule ${quoteShort(id)}`,
        hint,
      );
    }
  }

  /** `override` is null for a rule of no pack. */
  #add(rule: YamlMap, defaults: readonly YamlEntry[], override: readonly YamlEntry[] | null): void {
    const id = textOf(entryOf(rule, 'id')?.value);
    const reading = this.#reading.within('rule', id ?? pathOf(rule));
    const mapping = layered(
      rule,
      defaults,
      (override ?? []).filter((entry) => overridable.includes(entry.key)),
    );
    this.written.push({ id: id ?? pathOf(rule), mapping });
    const parsed = reading.deps.language.parseRule(mapping, reading);
    if (id !== null && !this.#claim(id, rule, reading)) return;
    if (!parsed) return;
    this.rules.push(override !== null && isRemade(mapping) ? { ...parsed, tests: [] } : parsed);
    this.mappings.set(parsed.id, mapping);
  }

  /** False where the id is taken: the first rule of that name stays. */
  #claim(id: string, rule: YamlMap, reading: Reading): boolean {
    const node = entryOf(rule, 'id')?.value ?? rule;
    const first = this.#ids.get(id);
    if (first) {
      const hint =
        'give it another id; to change a rule of a pack, use `packs: { NAME: { override: { ID: { ... } } } }`';
      reading.error(
        'E_DUPLICATE_ID',
        node,
        `the id ${quoteShort(id)} is taken by the rule at ${first.file}:${first.line}`,
        hint,
      );
      return false;
    }
    this.#ids.set(id, originOf(node));
    return true;
  }

  /** Defaults without the keys that are wrong: those were reported once, and need not break every rule. */
  #sound(defaults: YamlMap | undefined): readonly YamlEntry[] {
    return (defaults?.entries ?? []).filter((entry) => {
      const scratch = new Reading(this.#reading.deps);
      defaultsShape.read({ ...(defaults as YamlMap), entries: [entry] }, scratch);
      return scratch.errors === 0;
    });
  }
}

/** The rule's keys over the defaults, an override over both. Defaults come nearest first. */
function layered(rule: YamlMap, defaults: readonly YamlEntry[], override: readonly YamlEntry[]): YamlMap {
  if (defaults.length === 0 && override.length === 0) return rule;
  const entries: YamlEntry[] = [];
  const seen = new Set<string>();
  for (const entry of [...override, ...rule.entries, ...defaults]) {
    if (seen.has(entry.key)) continue;
    seen.add(entry.key);
    entries.push(entry);
  }
  return { ...rule, entries };
}

/**
 * Whether a rule of a pack has a key from another file (an override, defaults of the main file) that changes what its tests would
 * find, while the tests are those of the pack: they prove another rule then.
 */
function isRemade(mapping: YamlMap): boolean {
  const tests = entryOf(mapping, 'tests');
  if (tests?.keyNode.file !== mapping.file) return false;
  return mapping.entries.some(
    (entry) => entry.keyNode.file !== mapping.file && !untestedKeys.includes(entry.key),
  );
}
