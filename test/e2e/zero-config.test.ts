/** The first minute of a newcomer: files, pipes and URLs on the command line, and no configuration. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { program, run, start } from '../support/program.ts';
import { tempDir } from '../support/temp-dir.ts';
import { waitFor } from '../support/wait-for.ts';
import { webhookServer } from '../support/webhook-server.ts';

const celeryLog = fileURLToPath(new URL('../fixtures/demo/celery-demo.log', import.meta.url));
const alert = 'Celery task annosrv.tasks.email.send failed after 3 retries: ConnectionResetError';

function folderWithLog(): string {
  const dir = tempDir();
  copyFileSync(celeryLog, join(dir, 'worker.log'));
  return dir;
}

describe('run without a configuration', () => {
  it('--once FILE prints the alert on standard output and what runs on standard error', async () => {
    const dir = folderWithLog();
    const { code, stdout, stderr } = await run(['run', '--once', 'worker.log'], { cwd: dir });
    expect(stdout).toContain(`ERROR  ${alert}`);
    expect(stderr).toContain(`reads  files: ${join(dir, 'worker.log')}`);
    expect(stderr).toMatch(/rules {2}\d+: celery-task-failed-after-final-retry/);
    expect(stderr).toContain('tells  console (console)');
    // Was: what was read to its end was said to be not there yet.
    expect(stderr).not.toContain('waits');
    expect(stdout).not.toContain('\u001b');
    expect(code).toBe(0);
    expect(existsSync(join(dir, '.tocsin'))).toBe(false);
  });

  it('a pipe is read to its end with --once', async () => {
    const { code, stdout } = await run(['run', '--once'], {
      cwd: tempDir(),
      input: readFileSync(celeryLog),
    });
    expect(stdout).toContain(alert);
    expect(code).toBe(0);
  });

  it('a pipe that ends is the end without --once too, since nothing would ever come', async () => {
    const { code, stdout } = await run(['run'], { cwd: tempDir(), input: readFileSync(celeryLog) });
    expect(stdout).toContain(alert);
    expect(code).toBe(0);
  });

  it('- names the pipe beside files', async () => {
    const dir = folderWithLog();
    // Other tasks with ids of their own: those of the same id would be one story.
    const input = readFileSync(celeryLog)
      .toString()
      .replaceAll('email.send', 'pipe.send')
      .replaceAll(/-4([0-9a-f]{3}-)/g, '-5$1');
    const { stdout } = await run(['run', '--once', '--pack', 'celery', '-', 'worker.log'], {
      cwd: dir,
      input,
    });
    expect(stdout).toContain(alert);
    expect(stdout).toContain(alert.replace('email.send', 'pipe.send'));
  });

  it('a live run on a named file prints what is appended, and leaves nothing behind', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'worker.log'), '');
    const running = start(['run', '--pack', 'celery', 'worker.log'], { cwd: dir });
    await waitFor('the start', () => running.stderr().includes('tells'));
    appendFileSync(join(dir, 'worker.log'), readFileSync(celeryLog));
    await waitFor('the alert', () => running.stdout().includes(alert));
    const { code } = await running.end('SIGINT');
    expect(code).toBe(0);
    expect(existsSync(join(dir, '.tocsin'))).toBe(false);
  });

  it.each([
    ['/hook', 'webhook'],
    ['/hooks/abcdefghijklmnopqrstuvwxyz', 'mattermost'],
  ])('--to knows the kind of channel from a URL ending in %s: %s', async (path, kind) => {
    const server = await webhookServer();
    const dir = folderWithLog();
    const { code, stdout, stderr } = await run(
      ['run', '--once', '--pack', 'celery', '--to', new URL(path, server.url).href, 'worker.log'],
      { cwd: dir },
    );
    expect(stderr).toContain(`tells  ${kind} (${kind})`);
    expect(stdout).toBe('');
    expect(code).toBe(0);
    const firsts = server.received.filter((one) => JSON.stringify(one.json).includes('after 3 retries'));
    expect(firsts).toHaveLength(1);
    expect(firsts[0]?.url).toBe(path);
    if (kind === 'mattermost') expect(firsts[0]?.json.attachments[0].color).toBe('#d63232');
    else expect(firsts[0]?.json.incident.title).toBe(alert);
  });

  it('nothing to read is said in a sentence, exit 2', async () => {
    const { code, stderr } = await run(['run'], { cwd: tempDir() });
    expect(stderr).toMatch(/^nothing to read: name log files, pipe a log in, or write a tocsin.yaml/);
    expect(code).toBe(2);
  });

  it('--once with a file that is not there names it, exit 2', async () => {
    const { code, stderr } = await run(['run', '--once', 'nosuch.log'], { cwd: tempDir() });
    expect(stderr).toBe('nosuch.log: no such file\n');
    expect(code).toBe(2);
  });

  it('--to with no URL is refused, exit 2', async () => {
    const { code, stderr } = await run(['run', '--once', '--to', 'room', 'x.log'], { cwd: tempDir() });
    expect(stderr).toContain("'room' is invalid");
    expect(code).toBe(2);
  });

  it('--once exits 1 at once when a server refuses for good, with what it answered', async () => {
    const server = await webhookServer();
    server.fallback = { status: 403, body: 'token revoked' };
    const { code, stderr, ms } = await run(['run', '--once', '--to', server.url, 'worker.log'], {
      cwd: folderWithLog(),
    });
    expect(code).toBe(1);
    expect(stderr).toContain('answered 403: token revoked');
    expect(stderr).toContain('not delivered');
    expect(ms).toBeLessThan(15_000);
  });

  it.skipIf(spawnSync('script', ['--version']).status !== 0)(
    'a terminal gets colours, and NO_COLOR takes them away (needs `script`)',
    () => {
      const dir = folderWithLog();
      const onTerminal = (env: string): string =>
        spawnSync(
          'script',
          ['-qec', `${env} '${process.execPath}' '${program}' run --once worker.log`, '/dev/null'],
          { cwd: dir, encoding: 'utf8', env: { PATH: process.env['PATH'], TERM: 'xterm' } },
        ).stdout;
      expect(onTerminal('')).toContain('\u001b[');
      const plain = onTerminal('NO_COLOR=1');
      expect(plain).toContain(alert);
      expect(plain).not.toContain('\u001b[');
    },
  );

  it('I3 a reader that goes away (| head -1) ends what is printed and nothing else', () => {
    const dir = folderWithLog();
    const { status, stdout, stderr } = spawnSync(
      'bash',
      ['-c', 'set -o pipefail; "$0" "$1" run --once worker.log | head -1', process.execPath, program],
      { cwd: dir, encoding: 'utf8' },
    );
    expect(stdout).toBe(`ERROR  ${alert}\n`);
    expect(stderr).not.toMatch(/EPIPE|Error:|at /);
    expect(status).toBe(0);
  });
});
