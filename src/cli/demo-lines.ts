/** Lines that a real Celery worker (5.6, prefork, default format) wrote, for the demo: with other names, ids and times put in. */

const written = `[{at} INFO/MainProcess] Task {task}[{id}] received
[{at} INFO/ForkPoolWorker-5] Task {task}[{id}] retry: Retry in 0.2s: {error}
[{at} INFO/MainProcess] Task {task}[{id}] received
[{at} INFO/ForkPoolWorker-5] Task {task}[{id}] retry: Retry in 0.2s: {error}
[{at} INFO/MainProcess] Task {task}[{id}] received
[{at} INFO/ForkPoolWorker-6] Task {task}[{id}] retry: Retry in 0.2s: {error}
[{at} INFO/MainProcess] Task {task}[{id}] received
[{at} ERROR/ForkPoolWorker-6] Task {task}[{id}] raised unexpected: {error}
Traceback (most recent call last):
  File "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", line 585, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/venv/lib/python3.11/site-packages/celery/app/autoretry.py", line 60, in run
    ret = task.retry(exc=exc, **retry_kwargs)
          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/venv/lib/python3.11/site-packages/celery/app/task.py", line 769, in retry
    raise_with_context(exc)
  File "/srv/venv/lib/python3.11/site-packages/celery/app/autoretry.py", line 38, in run
    return task._orig_run(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/annosrv/releases/current/app/annosrv/tasks.py", line 29, in {function}
    raise ConnectionResetError(104, f'Connection reset by peer (smtp id {uid})')
ConnectionResetError: [Errno 104] Connection reset by peer (smtp id 604577)
[{at} INFO/MainProcess] Task annosrv.tasks.ping[f907dd78-abfb-4c06-b18a-56485bb20b81] received`;

const failure = `[{at} ERROR/ForkPoolWorker-{worker}] Task {task}[{id}] raised unexpected: {error}`;

/** Kinds of failures of the storm: few, as in a real one. */
const stormKinds = [
  [
    'annosrv.tasks.indexer.add_annotation',
    "ConnectionRefused('could not connect to server: Connection refused')",
  ],
  ['annosrv.tasks.webhook.deliver', "RateLimited(402, 'api.two.example')"],
  ['annosrv.tasks.export.build', "RuntimeError('export failed')"],
  ['annosrv.tasks.backoff.sync_group', "TimeoutError('timed out')"],
  ['annosrv.tasks.mail.digest', "OSError(101, 'Network is unreachable')"],
  ['annosrv.tasks.search.reindex', "ConnectionError('search-1 is gone')"],
  ['annosrv.tasks.billing.invoice', "Timeout('gateway timeout')"],
] as const;

const startMs = Date.UTC(2026, 0, 5, 10, 0, 0);

/** Celery's stamp: local time, a comma before the milliseconds, a colon behind. */
function stamp(ms: number): string {
  return `${new Date(ms).toISOString().replace('T', ' ').replace('.', ',').slice(0, 23)}:`;
}

function fill(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(
    /\{(at|task|id|error|function|worker)\}/g,
    (_whole, name: string) => values[name] ?? '',
  );
}

/** Three retries and the final failure of one task, with its traceback and one innocent line behind it. */
export function storyLines(task = 'annosrv.tasks.email.send', idHead = '0bad'): string[] {
  const values = {
    task,
    id: `${idHead}2b66-e86b-44ec-a178-f52d021846ab`,
    error: "ConnectionResetError(104, 'Connection reset by peer (smtp id 604577)')",
    function: task.split('.').slice(-2).join('_'),
  };
  return written.split('\n').map((line, index) => fill(line, { ...values, at: stamp(startMs + index * 50) }));
}

/** `count` lines of a storm, and how many of them are failures; each failure has its own id. */
export function stormLines(count: number): { readonly lines: readonly string[]; readonly failures: number } {
  const lines: string[] = [];
  let failures = 0;
  for (let index = 0; index < count; index++) {
    const [task, error] = stormKinds[index % stormKinds.length] ?? stormKinds[0];
    const id = `00000000-0000-4000-8000-${index.toString(16).padStart(12, '0')}`;
    const values = { task, error, id, at: stamp(startMs + 60_000 + index), worker: String((index % 6) + 1) };
    const isFailure = index % 3 === 0;
    if (isFailure) failures++;
    lines.push(fill(isFailure ? failure : `[{at} INFO/MainProcess] Task {task}[{id}] received`, values));
  }
  return { lines, failures };
}

/** What nobody has seen before, in the middle of the storm. */
export function diskLine(): string {
  return `[${stamp(startMs + 65_000)} ERROR/ForkPoolWorker-2] annosrv.tasks.upload: OSError: [Errno 28] No space left on device`;
}
