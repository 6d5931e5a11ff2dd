/**
 * The door to prom-client. Numbers are counted in plain Maps, so that counting costs nothing but an addition; the library
 * (11 MB) is loaded when `/metrics` is asked for the first time, and renders them. Names get the prefix `tocsin_`. A family
 * that grows too many series folds the rest into one called `other`, and counts that.
 */
import type { MetricType, Registry } from 'prom-client';

/** Series a family may have: a label with an open set of values is a mistake, and may not cost the memory of the daemon. */
const seriesMax = 1000;
/** A label's value is cut to this, characters. */
const labelCharactersMax = 200;
const prefix = 'tocsin_';
const folded = `${prefix}metric_series_folded_total`;

export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** Adds; below zero or NaN is not counted. */
  add(by?: number, labels?: Labels): void;
  /** Takes the value from elsewhere (a total somebody else keeps). */
  set(value: number, labels?: Labels): void;
}
export interface Gauge {
  set(value: number, labels?: Labels): void;
}
export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

export interface MetricOptions {
  /** Without the prefix, by the habits of Prometheus: `records_total`, `lag_bytes`, `delivery_seconds`. */
  readonly name: string;
  readonly help: string;
  /** Names of the labels; a label that is not given is ''. */
  readonly labels?: readonly string[];
}

export interface Metrics {
  /** A metric by name; asked for again, the same one. A RangeError when the name is taken by another kind. */
  counter(options: MetricOptions): Counter;
  gauge(options: MetricOptions): Gauge;
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): Histogram;
  /** Called before each rendering, for numbers that others keep. */
  beforeRender(refresh: () => void): void;
  /** All of it in the text format of Prometheus, with the process's own (`process_*`, `nodejs_*`). */
  render(): Promise<{ readonly text: string; readonly contentType: string }>;
}

interface Series {
  readonly labels: Labels;
  value: number;
  /** Of a histogram: how many per bucket, not added up. */
  readonly buckets: number[];
  count: number;
}

/** Makes an empty set of metrics. */
export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const refreshers: (() => void)[] = [];
  let registry: Registry | null = null;
  const family = (kind: Kind, options: MetricOptions, buckets: readonly number[]): Family => {
    const name = prefix + options.name;
    const known = families.get(name);
    if (known !== undefined && known.kind !== kind)
      throw new RangeError(`metric ${name} is a ${known.kind} already`);
    const made = known ?? new Family(kind, { ...options, name }, buckets, onFold);
    families.set(name, made);
    return made;
  };
  const foldedFamily = new Family(
    'counter',
    { name: folded, help: 'Updates of series over the limit', labels: ['metric'] },
    [],
    () => {},
  );
  const onFold = (name: string): void => foldedFamily.add(1, { metric: name });
  families.set(folded, foldedFamily);
  return {
    counter: (options) => family('counter', options, []),
    gauge: (options) => family('gauge', options, []),
    histogram: (options) =>
      family(
        'histogram',
        options,
        [...options.buckets].sort((a, b) => a - b),
      ),
    beforeRender: (refresh) => {
      refreshers.push(refresh);
    },
    render: async () => {
      for (const refresh of refreshers) refresh();
      const library = await import('prom-client');
      if (registry === null) {
        registry = new library.Registry();
        library.collectDefaultMetrics({ register: registry });
      }
      for (const [name, one] of families)
        if (registry.getSingleMetric(name) === undefined) registry.registerMetric(one.asMetric());
      return { text: await registry.metrics(), contentType: registry.contentType };
    },
  };
}

/** One line of the text format. */
interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

type Kind = 'counter' | 'gauge' | 'histogram';
type RegistryMetric = Parameters<Registry['registerMetric']>[0];

class Family implements Counter, Gauge, Histogram {
  readonly kind: Kind;
  readonly #options: MetricOptions;
  readonly #buckets: readonly number[];
  readonly #onFold: (name: string) => void;
  readonly #series = new Map<string, Series>();

  constructor(
    kind: Kind,
    options: MetricOptions,
    buckets: readonly number[],
    onFold: (name: string) => void,
  ) {
    this.kind = kind;
    this.#options = options;
    this.#buckets = buckets;
    this.#onFold = onFold;
  }

  add(by = 1, labels: Labels = {}): void {
    if (by > 0) this.#of(labels).value += by;
  }

  set(value: number, labels: Labels = {}): void {
    this.#of(labels).value = value;
  }

  observe(value: number, labels: Labels = {}): void {
    if (Number.isNaN(value)) return;
    const series = this.#of(labels);
    const at = this.#buckets.findIndex((bound) => value <= bound);
    const bucket = at < 0 ? this.#buckets.length : at;
    series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    series.value += value;
    series.count += 1;
  }

  /** What prom-client's registry asks of a metric: its values at the time of asking. */
  asMetric(): RegistryMetric {
    const { name, help } = this.#options;
    const type = this.kind as unknown as MetricType;
    const shape = {
      name,
      help,
      type,
      aggregator: 'sum',
      get: async () => ({ name, help, type, aggregator: 'sum', values: this.#values() }),
    };
    return shape as unknown as RegistryMetric;
  }

  #values(): readonly Sample[] {
    const { name } = this.#options;
    return [...this.#series.values()].flatMap((series): readonly Sample[] => {
      if (this.kind !== 'histogram') return [{ labels: series.labels, value: series.value }];
      let sum = 0;
      const buckets = this.#buckets.map((bound, at) => {
        sum += series.buckets[at] ?? 0;
        return { labels: { ...series.labels, le: bound }, value: sum, metricName: `${name}_bucket` };
      });
      return [
        ...buckets,
        { labels: { ...series.labels, le: '+Inf' }, value: series.count, metricName: `${name}_bucket` },
        { labels: series.labels, value: series.value, metricName: `${name}_sum` },
        { labels: series.labels, value: series.count, metricName: `${name}_count` },
      ];
    });
  }

  #of(given: Labels): Series {
    const names = this.#options.labels ?? [];
    const key = names.map((name) => (given[name] ?? '').slice(0, labelCharactersMax)).join('\u0000');
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    if (this.#series.size < seriesMax)
      return this.#make(key, (name) => (given[name] ?? '').slice(0, labelCharactersMax));
    this.#onFold(this.#options.name);
    const other = names.map(() => 'other').join('\u0000');
    return this.#series.get(other) ?? this.#make(other, () => 'other');
  }

  #make(key: string, labelOf: (name: string) => string): Series {
    const labels = Object.fromEntries((this.#options.labels ?? []).map((name) => [name, labelOf(name)]));
    const series: Series = { labels, value: 0, buckets: [], count: 0 };
    this.#series.set(key, series);
    return series;
  }
}
