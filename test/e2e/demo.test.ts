/** `tocsin demo`, which is what `npm start` plays: every act happens, nothing is left behind. */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { run } from '../support/program.ts';
import { tempDir } from '../support/temp-dir.ts';

it('the demo plays its four acts on a real daemon, and leaves nothing behind', async () => {
  const dir = tempDir();
  const { code, stdout, stderr, ms } = await run(['demo', '--fast'], { cwd: dir, env: { TMPDIR: dir } });
  expect(stderr).toBe('');
  expect(code).toBe(0);
  expect(stdout).toContain('failed after 3 retries: ConnectionResetError');
  expect(stdout).toContain('would have sent 11 messages for this. Tocsin sent 1.');
  expect(stdout).toContain('in the middle: disk-full: ');
  expect(stdout).toMatch(/failures in 10000 lines -> \d messages\. The account: .*, balanced\./);
  expect(stdout).toContain('answered 403: {"error":"token revoked"}');
  expect(stdout).toMatch(/the same message came again, id \w{16}, count 1/);
  expect(stdout).toContain('hint: did you mean "error"?');
  expect(stdout).toContain('and the old rules go on: Celery task mail.tasks.digest failed');
  expect(stdout.trimEnd().endsWith('npx tocsin backtest --pack celery YOUR.log')).toBe(true);
  expect(ms).toBeLessThan(60_000);
  expect(readdirSync(dir)).toEqual([]);
}, 70_000);
