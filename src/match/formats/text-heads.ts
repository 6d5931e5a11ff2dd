/**
 * Heads of text lines besides Celery's and Python's: Ruby's and Rails' logger, nginx and Apache
 * (access and error logs), klog. Takes the text of a record, gives what its head says, or null. It is asked for the few
 * records that a rule may want, so it may use regular expressions; each is anchored and linear.
 */
import type { Format } from '../../model/config.ts';
import type { FieldValue } from '../../model/record.ts';
import { type Head, noHead } from '../head.ts';
import { levelOf, stampOf, zonedTime } from '../stamps.ts';

/** A head is looked for in so many characters. */
const headLength = 4096;

interface HeadContext {
  readonly tz: string;
  readonly receivedAt: number;
}
type ReadHead = (text: string, context: HeadContext) => Head | null;

/** `I, [2026-11-21T02:28:13.973778 #1234]  INFO -- program: message` */
const rubyForm =
  /^[DIWEFA], \[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?) ?#(\d{1,12})\] {1,2}([A-Z]{3,7}) -- ([^:\n]{0,120}): ?/;

function rubyHead(text: string, { tz, receivedAt }: HeadContext): Head | null {
  const found = rubyForm.exec(text);
  if (found === null) return null;
  const [whole, stamp = '', pid = '', level = '', program = ''] = found;
  const tags = requestTags(text.slice(whole.length));
  return {
    ...noHead,
    length: whole.length,
    time: stampOf(stamp, tz, receivedAt)?.time ?? null,
    level: level === 'ANY' ? null : levelOf(level),
    fields: fieldsOf({ pid: Number(pid), program: program === '' ? null : program, ...tags }),
  };
}

/** Rails: `[request-id] Completed 500 Internal Server Error in 12ms`, `Started GET "/x" for 10.0.0.1 at ...`. */
const tagForm = /^\[([0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32})\] ?/;
const completedForm = /^Completed (\d{3}) [^\n]{0,80}? in (\d{1,12}(?:\.\d{1,6})?)ms/;
const startedForm = /^Started ([A-Z]{3,8}) "([^"\n]{0,2000})" for (\S{1,64})(?: at |$)/;
const processingForm = /^Processing by ([\w:]{1,200}#\w{1,100}) as /;

function requestTags(text: string): Record<string, FieldValue> | null {
  const tag = tagForm.exec(text);
  const rest = tag === null ? text : text.slice(tag[0].length);
  const fields: Record<string, FieldValue> = {};
  if (tag !== null) fields['request_id'] = tag[1] ?? '';
  const completed = completedForm.exec(rest);
  if (completed !== null) {
    fields['status'] = Number(completed[1]);
    fields['duration_ms'] = Number(completed[2]);
  }
  const started = startedForm.exec(rest);
  if (started !== null) {
    fields['method'] = started[1] ?? '';
    fields['path'] = started[2] ?? '';
    fields['remote'] = started[3] ?? '';
  }
  const processing = processingForm.exec(rest);
  if (processing !== null) fields['action'] = processing[1] ?? '';
  return Object.keys(fields).length === 0 ? null : fields;
}

/** Rails without a logger's head. */
function railsHead(text: string): Head | null {
  const fields = requestTags(text);
  return fields === null ? null : { ...noHead, fields: fieldsOf(fields) };
}

/** The combined and common forms of nginx and Apache, with or without what follows (a request time, a forwarded address). */
const accessForm =
  /^(?:[\w.-]{1,253}(?::\d{1,5})? )?([\da-fA-F.:]{3,45}|[\w.-]{1,253}) \S{1,64} (\S{1,128}) \[(\d\d)\/([A-Z][a-z]{2})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d{4})\] "((?:[^"\\]|\\.){0,3000})" (\d{3}) (\d{1,15}|-)(?: "((?:[^"\\]|\\.){0,2000})" "((?:[^"\\]|\\.){0,1000})")?/;
const monthNames = 'JanFebMarAprMayJunJulAugSepOctNovDec';

function accessHead(text: string, { receivedAt }: HeadContext): Head | null {
  // Most lines are none: they are spared the form.
  if (!text.includes('] "')) return null;
  const found = accessForm.exec(text);
  if (found === null) return null;
  const [
    ,
    remote = '',
    user = '',
    day,
    month = '',
    year,
    clock,
    offset,
    request = '',
    status,
    size,
    referer,
    agent,
  ] = found;
  const number = String(monthNames.indexOf(month) / 3 + 1).padStart(2, '0');
  const stamp = stampOf(`${year}-${number}-${day}T${clock}${offset}`, 'UTC', receivedAt);
  const [method = '', path, protocol] = request.split(' ');
  return {
    ...noHead,
    time: stamp?.time ?? null,
    zoned: stamp !== null,
    fields: fieldsOf({
      remote,
      user: user === '-' ? null : user,
      method: path === undefined ? null : method,
      path: path ?? request,
      protocol: protocol ?? null,
      status: Number(status),
      bytes: size === '-' ? 0 : Number(size),
      referer: referer === undefined || referer === '-' ? null : referer,
      agent: agent === undefined || agent === '-' ? null : agent,
    }),
  };
}

/** nginx: `2026/11/21 01:52:18 [error] 123#123: *1 message, client: ..., server: ...`; also Go's log with its slashes. */
const nginxForm =
  /^(\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) (?:\[([a-z]{3,8})\] (\d{1,12})#(\d{1,12}): (?:\*(\d{1,15}) )?)?/;
const nginxParts =
  /, (client|server|request|upstream|host|referrer): (?:"((?:[^"\\]|\\.){0,2000})"|([^,\s]{1,200}))/g;

function nginxHead(text: string, { tz, receivedAt }: HeadContext): Head | null {
  const found = nginxForm.exec(text);
  if (found === null) return null;
  const [whole, year, month, day, clock, level, pid, thread, connection] = found;
  const stamp = stampOf(`${year}-${month}-${day} ${clock}`, tz, receivedAt);
  if (stamp === null) return null;
  const head = { ...noHead, time: stamp.time, length: whole.length };
  if (level === undefined) return { ...head, length: 0 };
  const fields: Record<string, FieldValue> = { pid: Number(pid), thread: Number(thread) };
  if (connection !== undefined) fields['connection'] = Number(connection);
  for (const part of text.slice(0, headLength).matchAll(nginxParts))
    fields[part[1] ?? ''] ??= part[2] ?? part[3] ?? '';
  return { ...head, level: levelOf(level), fields: fieldsOf(fields) };
}

/** Apache's error log: `[Sat Nov 21 06:44:10.123456 2026] [core:error] [pid 1:tid 2] [client 10.0.0.1:5] AH00124: ...` */
const apacheForm =
  /^\[[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d| \d) (\d\d:\d\d:\d\d)(\.\d{1,9})? (\d{4})\] \[(?:([\w.-]{0,64}):)?([a-z]\w{2,8})\] (?:\[pid (\d{1,12})(?::tid \d{1,20})?\] )?(?:\[client ([^\]\s]{1,128})\] )?/;

function apacheHead(text: string, { tz }: HeadContext): Head | null {
  const found = apacheForm.exec(text);
  if (found === null) return null;
  const [whole, month = '', day = '', clock, fraction = '', year, module, level = '', pid, client] = found;
  const number = monthNames.indexOf(month);
  const wall = Date.parse(
    `${year}-${String(number / 3 + 1).padStart(2, '0')}-${day.trim().padStart(2, '0')}T${clock}${fraction.slice(0, 4)}Z`,
  );
  return {
    ...noHead,
    length: whole.length,
    time: number < 0 || Number.isNaN(wall) ? null : zonedTime(wall, tz),
    level: levelOf(level.replace(/\d$/, '')),
    fields: fieldsOf({
      module: module ?? null,
      pid: pid === undefined ? null : Number(pid),
      client: client ?? null,
    }),
  };
}

/** klog and glog: `E1121 02:28:13.973778    5082 file.go:12] message`. */
const klogForm = /^([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{1,9}) +(\d{1,12}) ([\w./-]{1,200}:\d{1,7})\] /;

function klogHead(text: string, { tz, receivedAt }: HeadContext): Head | null {
  const found = klogForm.exec(text);
  if (found === null) return null;
  const [whole, letter = '', month, day, clock, pid, caller = ''] = found;
  const year = new Date(receivedAt).getUTCFullYear();
  let time: number | null = null;
  // No year is written: the latest one that is not more than a day ahead of the arrival.
  for (const candidate of [year + 1, year, year - 1]) {
    const stamp = stampOf(`${candidate}-${month}-${day} ${clock}`, tz, receivedAt);
    if (stamp === null || stamp.time > receivedAt + 86_400_000) continue;
    time = stamp.time;
    break;
  }
  const level = ({ I: 'info', W: 'warning', E: 'error', F: 'critical' } as const)[letter] ?? null;
  return { ...noHead, length: whole.length, time, level, fields: fieldsOf({ pid: Number(pid), caller }) };
}

function fieldsOf(values: Readonly<Record<string, FieldValue>>): Record<string, FieldValue> {
  const fields: Record<string, FieldValue> = Object.create(null);
  for (const [name, value] of Object.entries(values)) if (value !== null) fields[name] = value;
  return fields;
}

const readers: Partial<Record<Format, readonly ReadHead[]>> = {
  access: [accessHead, nginxHead, apacheHead],
  rails: [rubyHead, railsHead],
};
const known: readonly ReadHead[] = [rubyHead, nginxHead, klogHead, apacheHead, accessHead];

/** What the head of a text says in a format, or null. */
export function textHead(text: string, format: Format, tz: string, receivedAt: number): Head | null {
  if (format === 'plain') return null;
  const piece = text.length > headLength ? text.slice(0, headLength) : text;
  for (const read of readers[format] ?? known) {
    const head = read(piece, { tz, receivedAt });
    if (head !== null) return head;
  }
  return null;
}
