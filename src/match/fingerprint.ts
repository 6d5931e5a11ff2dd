/**
 * When two lines are the same problem: a stateless key over the text with its values masked. One pass over the text, token
 * by token, whole tokens only, so that no mask bites into the middle of a word; no patterns that look around, nothing
 * learned, the same on every machine and after every restart. What is in doubt stays apart.
 */
import { hash } from 'node:crypto';
import { stripAnsi } from './ansi.ts';

/** Characters of text that count; longer texts are cut, never skipped. */
const maxText = 4096;
const placeholder = '<*>';

/** Words with digits that are words all the same. */
const vocabulary = new Set(
  (
    'utf8 utf16 utf32 utf-8 utf-16 utf-32 iso-8859-1 latin1 base32 base64 base58 x86_64 x86 x64 amd64 arm64 i386 i686 win32 win64 ' +
    'sha1 sha224 sha256 sha384 sha512 md5 sm2 aes128 aes256 rc4 rsa2048 ed25519 x509 x11 p12 pkcs7 pkcs8 pkcs12 http1 http2 http3 ' +
    'h2 h2c h3 http/1.0 http/1.1 http/2 http/3 ssl2 ssl3 tls1 ipv4 ipv6 ip4 ip6 tcp4 tcp6 udp4 udp6 inet6 icmp6 l2 l3 l4 l7 s3 ec2 ' +
    'k8s i18n l10n a11y oauth1 oauth2 oauth2.0 saml2 web3 h264 h265 mp3 mp4 mpeg4 ext2 ext3 ext4 log4j log4j2 slf4j junit4 junit5 python2 ' +
    'python3 py2 py3 sqlite3 sqlite psycopg2 psycopg3 boto3 urllib3 jinja2 libc6 e2e b2b p2p p50 p90 p95 p99 eth0 lo0 v1 v2 v3 ' +
    'log10 int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 3des 2fa d3d9 d3d11'
  ).split(' '),
);
const topLevel = new Set(
  'com net org edu gov mil int io dev app cloud local localdomain internal intranet lan home corp arpa info biz eu de uk fr nl cn ru jp br in us ca au ch at se no it es pl cz tw kr hk sg xyz site online tech'.split(
    ' ',
  ),
);
/** A name stands behind "user" when one of these stands before it. */
const beforeUser = new Set(['for', 'invalid', 'illegal', 'unknown', 'by', 'of', 'from', 'to', 'as']);

const separator = new Uint8Array(128);
for (const ch of ' \t\n\r"\'`()[]{}<>=,;|') separator[ch.charCodeAt(0)] = 1;
const trimmed = new Uint8Array(128);
for (const ch of '.:!?#*&%$^~+') trimmed[ch.charCodeAt(0)] = 1;

function isSeparator(code: number): boolean {
  return code < 128 && separator[code] === 1;
}

function isDigitCode(code: number): boolean {
  return code >= 48 && code <= 57;
}

const uuid = /^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$/i;
const dottedName = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$<][\w$>]*)+$/;
const host = /^[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[\w-]*[A-Za-z0-9_])?)+$/;
const letterHex = /^[a-f]{8,}$/i;

function hasDigit(token: string): boolean {
  for (let i = 0; i < token.length; i++) if (isDigitCode(token.charCodeAt(i))) return true;
  return false;
}

/** A dotted name of a host rather than of a class or module: known ending, or a label that no identifier can be. */
function isHost(token: string): boolean {
  if (!host.test(token)) return false;
  const dot = token.lastIndexOf('.');
  const last = token.slice(dot + 1);
  if (topLevel.has(last)) return true;
  return token.includes('-') && hasDigit(token) && last.length <= 6;
}

function isPath(token: string): boolean {
  const first = token.charCodeAt(0);
  if (first === 47) return token.length > 1;
  if (token.startsWith('./') || token.startsWith('../') || token.startsWith('~/') || token.startsWith('\\\\'))
    return true;
  if (token.charCodeAt(1) === 58 && (token[2] === '\\' || token[2] === '/')) return true;
  const slash = token.indexOf('/');
  if (slash < 0) return false;
  return token.indexOf('/', slash + 1) > 0 || hasDigit(token);
}

/** A token with a digit: what of it names a kind (`blk_`, `worker-`, `base.py:`) and what is its value. */
function maskDigits(token: string): string {
  if (dottedName.test(token) && !isHost(token)) return token;
  if (uuid.test(token)) return placeholder;
  const colon = token.lastIndexOf(':');
  if (colon > 0 && /^\d+$/.test(token.slice(colon + 1))) {
    const head = token.slice(0, colon);
    // `base.py:123` keeps its file; an address with a port is an address.
    return hasDigit(head) || isHost(head) ? placeholder : `${head}:${placeholder}`;
  }
  const glued = /^([A-Za-z]{2,}(?:[_-][A-Za-z]{2,})*)[_#-](?=[\w-]*\d)/.exec(token);
  if (glued?.[1] && !/^0x|^[0-9a-f]+$/i.test(glued[1])) return `${glued[1]}_${placeholder}`;
  return placeholder;
}

interface Around {
  /** Character before the token, '' at the start. */
  readonly before: string;
  readonly afterEquals: boolean;
  readonly quoted: boolean;
  readonly last: string;
  readonly secondLast: string;
}

function maskToken(token: string, around: Around): string {
  if (around.afterEquals && (around.quoted || /^(?:true|false|null|none|nil|yes|no|on|off)$/i.test(token)))
    return placeholder;
  if (around.last === 'user' && beforeUser.has(around.secondLast)) return placeholder;
  if (vocabulary.has(token) || vocabulary.has(token.toLowerCase())) return token;
  if (token.includes('@') && token.indexOf('@') > 0) return placeholder;
  if (isPath(token)) return placeholder;
  if (hasDigit(token)) return maskDigits(token);
  if (token.includes('.') && isHost(token)) return placeholder;
  if (around.afterEquals && letterHex.test(token)) return placeholder;
  return token;
}

function endOfUrl(text: string, at: number): number {
  let end = at;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (
      code <= 32 ||
      code === 34 ||
      code === 39 ||
      code === 60 ||
      code === 62 ||
      code === 96 ||
      code === 41 ||
      code === 93
    )
      break;
  }
  while (end > at && ',;.:'.includes(text[end - 1] ?? '')) end--;
  return end;
}

/** Where a scheme with `://` begins here, or false. */
function isUrl(text: string, start: number, tokenEnd: number): boolean {
  const sign = text.indexOf('://', start);
  return sign > start && sign < tokenEnd && sign - start <= 32;
}

/** The first line with text and, of more lines, the last exception's: what a problem is called. */
function tellingText(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const first = lines[0] ?? '';
  if (lines.length < 2) return first;
  for (let i = lines.length - 1; i > 0; i--) {
    const line = lines[i] ?? '';
    if (/^[A-Za-z_][\w.$]*(?:Error|Exception|Exit|Interrupt|Warning|Timeout|Failure|Retry|Lost)\b/.test(line))
      return `${first}\n${line}`;
  }
  return first;
}

/** Punctuation that belongs to no token, on both sides of its core. */
function core(text: string, start: number, end: number): [number, number] {
  let from = start;
  let to = end;
  while (from < to && (trimmed[text.charCodeAt(from)] ?? 0) === 1) from++;
  while (to > from && (trimmed[text.charCodeAt(to - 1)] ?? 0) === 1) to--;
  return [from, to];
}

function isJsonValue(text: string, at: number): boolean {
  let i = at - 1;
  while (i >= 0 && text.charCodeAt(i) === 32) i--;
  return text.charCodeAt(i) === 58 && text.charCodeAt(i - 1) === 34;
}

/** Text with its values replaced by `<*>`; equal for lines that tell the same problem. Linear, at most 4 Ki characters. */
export function normalise(text: string): string {
  const source = stripAnsi(tellingText(text.length > maxText * 4 ? text.slice(0, maxText * 4) : text)).slice(
    0,
    maxText,
  );
  let result = '';
  let last = '';
  let secondLast = '';
  let lastMasked = '';
  let lastEnd = 0;
  let at = 0;
  while (at < source.length) {
    const code = source.charCodeAt(at);
    if (isSeparator(code)) {
      result += code <= 32 ? ' ' : source[at];
      at++;
      continue;
    }
    let end = at + 1;
    while (end < source.length && !isSeparator(source.charCodeAt(end))) end++;
    if (isUrl(source, at, end)) {
      result += placeholder;
      at = endOfUrl(source, at);
      continue;
    }
    const before = at > 0 ? (source[at - 1] ?? '') : '';
    const quoted = before === '"' || before === "'";
    const afterEquals = before === '=' || (quoted && source[at - 2] === '=');
    const [from, to] = core(source, at, end);
    if (to <= from) {
      result += source.slice(at, end);
      at = end;
      continue;
    }
    const token = source.slice(from, to);
    if (quoted && afterEquals) {
      const close = source.indexOf(before, at);
      const until = close < 0 ? end : close;
      result += placeholder;
      at = Math.max(until, end);
      continue;
    }
    const masked =
      /^(?:true|false|null)$/.test(token) && (isJsonValue(source, at) || source[from - 1] === ':')
        ? placeholder
        : maskToken(token, { before, afterEquals, quoted, last, secondLast });
    // A list of values of one kind is one, however long: `blk_<*> blk_<*>, blk_<*>`.
    const same = masked === lastMasked && masked.endsWith(placeholder) && isListGap(result, lastEnd);
    result = same ? result.slice(0, lastEnd) : result + source.slice(at, from) + masked;
    lastMasked = masked;
    lastEnd = result.length;
    result += source.slice(to, end);
    secondLast = last;
    last = token.toLowerCase();
    at = end;
  }
  return collapse(result);
}

/** Whether nothing but the separators of a list stands behind a place. */
function isListGap(text: string, from: number): boolean {
  if (text.length - from > 3 || text.length === from) return false;
  for (let i = from; i < text.length; i++) if (!' ,;|'.includes(text[i] ?? '')) return false;
  return true;
}

/** Lists of placeholders are one, brackets around nothing else too, blanks are single. */
function collapse(text: string): string {
  let result = text.replace(/ {2,}/g, ' ');
  for (let round = 0; round < 3; round++) {
    const next = result
      .replace(/<\*>(?:[ ,;:/+-]{1,3}<\*>)+/g, placeholder)
      .replace(/(?:\(<\*>\)|\[<\*>\]|\{<\*>\})/g, placeholder)
      .replace(/(?:<\*>){2,}/g, placeholder);
    if (next === result) break;
    result = next;
  }
  return result.trim();
}

/**
 * The key of a problem: `v1:` and 16 hex digits, over the rule, the values of its scope and the normalised text. Lengths
 * are part of it, so that no two lists of values give the same key by where they are cut.
 */
export function fingerprintOf(ruleId: string, scope: readonly string[], text: string): string {
  const parts = [ruleId, ...scope, normalise(text)];
  const joined = parts.map((part) => `${part.length}:${part}`).join('\0');
  return `v1:${hash('sha256', joined, 'hex').slice(0, 16)}`;
}
