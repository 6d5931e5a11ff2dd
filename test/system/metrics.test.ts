/** Numbers as Prometheus reads them. */
import { expect, it } from 'vitest';
import { createMetrics } from '../../src/system/metrics.ts';

it('counters, gauges and histograms come out in the text format, with the prefix', async () => {
  const metrics = createMetrics();
  const records = metrics.counter({ name: 'records_total', help: 'Records read', labels: ['source'] });
  records.add(2, { source: 'a"b\\c\nd' });
  records.add(1, { source: 'a"b\\c\nd' });
  records.add(-5, { source: 'a"b\\c\nd' });
  records.add(Number.NaN, { source: 'a"b\\c\nd' });
  metrics.gauge({ name: 'lag_bytes', help: 'Lag' }).set(7);
  const seconds = metrics.histogram({
    name: 'delivery_seconds',
    help: 'Took',
    labels: ['channel'],
    buckets: [1, 0.1],
  });
  for (const value of [0.05, 0.1, 0.5, 9]) seconds.observe(value, { channel: 'ops' });
  metrics.beforeRender(() => metrics.gauge({ name: 'late', help: 'Set when asked' }).set(1));
  const { text, contentType } = await metrics.render();
  expect(contentType).toContain('text/plain');
  expect(text).toContain(
    '# TYPE tocsin_records_total counter\ntocsin_records_total{source="a\\"b\\\\c\\nd"} 3\n',
  );
  expect(text).toContain('tocsin_lag_bytes 7\n');
  expect(text).toContain('tocsin_late 1\n');
  expect(text).toContain('tocsin_delivery_seconds_bucket{channel="ops",le="0.1"} 2\n');
  expect(text).toContain('tocsin_delivery_seconds_bucket{channel="ops",le="1"} 3\n');
  expect(text).toContain('tocsin_delivery_seconds_bucket{channel="ops",le="+Inf"} 4\n');
  expect(text).toContain('tocsin_delivery_seconds_count{channel="ops"} 4\n');
  expect(text).toContain('process_resident_memory_bytes');
  records.add(1, { source: 'x' });
  expect((await metrics.render()).text).toContain('tocsin_records_total{source="x"} 1\n');
});

it('a label without end folds into `other`, and that is counted', async () => {
  const metrics = createMetrics();
  const bad = metrics.counter({ name: 'bad_total', help: 'By key', labels: ['key'] });
  for (let n = 0; n < 1500; n++) bad.add(1, { key: `k${n}` });
  const { text } = await metrics.render();
  expect(text.split('\n').filter((line) => line.startsWith('tocsin_bad_total{'))).toHaveLength(1001);
  expect(text).toContain('tocsin_bad_total{key="other"} 500\n');
  expect(text).toContain('tocsin_metric_series_folded_total{metric="tocsin_bad_total"} 500\n');
});

it('a name has one kind', () => {
  const metrics = createMetrics();
  const counter = metrics.counter({ name: 'x_total', help: 'x' });
  expect(metrics.counter({ name: 'x_total', help: 'x' })).toBe(counter);
  expect(() => metrics.gauge({ name: 'x_total', help: 'x' })).toThrow(/counter already/);
});
