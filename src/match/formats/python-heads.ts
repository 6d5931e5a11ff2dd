/**
 * Heads that Python's logging writes where it is not Celery that chose the form: behind a syslog header, in Django's verbose
 * form, in that of Python's own documentation, and in whatever order an application lists time, level, logger, process and
 * numbers for Celery's loggers. Takes the text of a record, gives what its head says, or null; asked for wanted records only.
 */
import type { FieldValue } from '../../model/record.ts';
import { type Head, noHead } from '../head.ts';
import { levelOf, type Stamp, stampOf } from '../stamps.ts';

const level = 'DEBUG|INFO|WARNING|ERROR|CRITICAL';
const process = 'MainProcess|MainThread|[Bb]eat|[A-Za-z]{0,24}(?:Worker|Process|Thread)-[\\d:_-]{1,24}';

/** Words of a sentence, as in `ERROR in MainThread ...`: no logger's name. */
const notLogger =
  '(?:[Aa]|[Aa]nd|[Aa]t|[Bb]y|[Ff]or|[Ff]rom|[Ii]n|[Oo]f|[Oo]n|[Tt]he|[Tt]o|[Ww]hen|[Ww]hile|[Ww]ith|[A-Z][a-z]+ing|[A-Z][a-z]+ed) ';
/** `ERROR celery.app.trace ForkPoolWorker-3 Task ...`: what Python's handlers write behind a syslog header. */
const syslogForm = new RegExp(`^(${level}) (?!${notLogger})([A-Za-z_][\\w.]{0,120}) (${process}) `);
/** `ERROR:root:...`: what Python writes where nothing was set up. Not `ERROR:http://...`, nor `ERROR:java.io.IOException: ...`. */
const bareForm = new RegExp(`^(${level}):([A-Za-z_][\\w.]{0,120}):(?![ /])`);
/** Behind `ERROR <time>` the module, the process's number and the thread's: ` trace 5082 140000 Task ...`. */
const djangoForm = /^ ([A-Za-z_]\w{0,60}) (\d{1,10}) (\d{1,20}) /;
/** Behind the time: ` - celery.app.trace - ERROR - Task ...`. */
const documentedForm = new RegExp(`^ - ([A-Za-z_][\\w.]{0,120}) - (${level}) - `);
/** Loggers of Celery and of what it is made of. By themselves the names of two are words: `ERROR celery is down`. */
const loggers =
  '(?:celery|kombu)(?:\\.\\w{1,60}){1,6}|multiprocessing(?:\\.\\w{1,60}){0,6}|(?:celery|kombu)(?=[\\])>:]| {1,8}[-|] )';
/** One part of a head, in brackets or not, with what stands between it and the next one. */
const anyPart = new RegExp(
  `[[(<]?(?:(?<level>${level})|(?<logger>${loggers})(?::[\\w-]{1,60}){0,2}|(?<process>${process})|(?<number>\\d{1,20}(?=\\D)))(?![\\w.])[\\])>]?(?:[:,]? {0,8}(?:[-|:/] {1,8})?|[/:](?=\\w))`,
  'y',
);
/** A part in brackets, or with more than blanks behind it. */
const setApart = /[\])>]|[:|/-] {0,8}$/;
/** Parts of a head at most, and its characters. */
const maxParts = 6;
const maxHead = 400;

/** The head of a record that Python's logging wrote, or null. `zone` is for times without one. */
export function pythonHead(text: string, zone: string, receivedAt: number): Head | null {
  const first = text.charCodeAt(0);
  // `[`, a digit or a capital: most lines of other programs are spared the forms.
  if (first !== 91 && !(first >= 48 && first <= 57) && !(first >= 65 && first <= 90)) return null;
  const piece = text.slice(0, maxHead);
  const stamp = stampOf(piece, zone, receivedAt);
  if (stamp === null) return withoutTime(piece);
  return documented(piece, stamp) ?? celeryLogger(piece, stamp);
}

function withoutTime(text: string): Head | null {
  const found = syslogForm.exec(text) ?? bareForm.exec(text);
  if (found === null) return null;
  const [whole, name = '', logger = '', worker = null] = found;
  return {
    ...noHead,
    length: whole.length,
    level: levelOf(name),
    process: worker,
    fields: fieldsOf({ logger }),
  };
}

/** The two forms that documentation shows, for any logger. */
function documented(text: string, { time, zoned, end }: Stamp): Head | null {
  const rest = text.slice(end);
  const known = documentedForm.exec(rest);
  if (known !== null) {
    const [whole, logger = '', name = ''] = known;
    return {
      ...noHead,
      length: end + whole.length,
      time,
      zoned,
      level: levelOf(name),
      fields: fieldsOf({ logger }),
    };
  }
  const before = /^([A-Z]+) /.exec(text);
  const django = before === null ? null : djangoForm.exec(rest);
  if (before === null || django === null) return null;
  const [whole, module = '', pid, thread] = django;
  const fields = fieldsOf({ module, pid: Number(pid), thread: Number(thread) });
  return { ...noHead, length: end + whole.length, time, zoned, level: levelOf(before[1] ?? ''), fields };
}

/** Time, level and one of Celery's loggers in any order: without its logger a head may as well be text. */
function celeryLogger(text: string, { time, zoned, end }: Stamp): Head | null {
  const before = /^([A-Z]+) /.exec(text);
  let name = before?.[1] ?? null;
  let logger: string | null = null;
  let worker: string | null = null;
  const lead = /^\]?[:,]? {0,8}(?:[-|] {1,8})?/.exec(text.slice(end));
  let at = end + (lead?.[0].length ?? 0);
  let closed = false;
  for (let parts = 0; parts < maxParts; parts++) {
    anyPart.lastIndex = at;
    const part = anyPart.exec(text);
    const found = part?.groups;
    if (part === null || found === undefined) break;
    // Behind `celery.worker: ` stands the message, unless what looks like a part is set apart too.
    if (closed && !setApart.test(part[0])) break;
    // What was told is not told again: a second level is a word of the message.
    if ((name !== null && found['level']) || (logger !== null && found['logger'])) break;
    at = anyPart.lastIndex;
    name ??= found['level'] ?? null;
    logger ??= found['logger'] ?? null;
    worker ??= found['process'] ?? null;
    closed = name !== null && logger !== null && /: +$/.test(part[0]);
  }
  if (name === null || logger === null) return null;
  return {
    ...noHead,
    length: at,
    time,
    zoned,
    level: levelOf(name),
    process: worker,
    fields: fieldsOf({ logger }),
  };
}

function fieldsOf(values: Readonly<Record<string, FieldValue>>): Record<string, FieldValue> {
  return Object.assign(Object.create(null), values);
}
