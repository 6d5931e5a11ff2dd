/**
 * Takes secrets out of log text before anything is stored or sent. One cheap test says for most texts that there are none.
 * Gives the text and the secrets found, so that fields captured from it can be cleaned too. Ordinary sentences with words
 * like "password" or "token" stay as they are.
 */
import type { FieldValue } from '../model/record.ts';
import { compilePattern } from './regex.ts';

export const redacted = '[redacted]';
/** Enough of it to know it again where a form stops before its bracket. */
const mark = '[redacted';

export interface Redaction {
  readonly text: string;
  /** What was taken out, longest first. */
  readonly secrets: readonly string[];
}

/** Words whose value is a secret, also as the end of a longer one: `PGPASSWORD`, `csrfmiddlewaretoken`, `password2`. */
const gluedNames =
  '[a-z0-9]{0,24}(?:password|passwd|passphrase|token|api[_-]?key|secret[_-]?(?:access[_-]?)?key|client[_-]?secret)(?:\\d{1,2}|[_-]?confirm(?:ation)?)?';
/** And those that must stand for themselves, but for what `_`, `-` or `.` joins to them. */
const wholeNames =
  'passcode|pass(?!\\s?[=:]\\s?\\d{1,9}[\\s,;/]{1,4}(?:fail|skip|warn|err|total))|pwd|secret|access[_-]?key(?:[_-]?id)?|(?:private|auth|signing|encryption|account)[_-]?key|credentials?|authorization|set-cookie|cookie|session[_-]?id|connection[_-]?string';
/** A name whose value is a secret, when a value follows by `=`, `:` or as JSON or Python text. It looks back a few characters only: linear. Not
 * `unexpected token: 'else'` of parsers, nor `pass=3120 fail=2` of tests. */
const secretName = `(?<![a-z0-9])(?!(?<=unexpected )token: ["']?[^\\s"']{1,12}["']?(?:\\s|$))(?:${gluedNames}|${wholeNames})`;

/** The first, cheap question; linear. Whatever the rules below find must make it say yes. */
const suspicion = compilePattern(
  '(?i)(?:passw(?:or)?d|passphrase|passcode|pass|pwd|secret|key|token|credentials?|authorization|cookie|session[_-]?id|connection[_-]?string|sig|signature)(?:\\d{1,2}|[_-]?confirm(?:ation)?|[_-]?id)?[\\\\"\'\\]]*\\s*(?:[=:>,]|%3d)|--[\\w-]*(?:password|passwd|passphrase|token|secret|key)|mysql|(?:bearer|basic|token)\\s+\\S|://[^/\\s]*@|[?&;][\\w-]*(?:code|auth)=|AKIA|ASIA|AROA|AIDA|AGPA|AIza|eyJ|sk[_-]|[rp]k_(?:live|test)|whsec_|gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|xapp-|npm_|SG\\.|hf_|do[opr]_v1_|shp(?:at|ca|pa|ss)_|dckr_pat_|glsa_|pypi-|sntry[su]_|hvs\\.|ya29\\.|\\d:AA|hooks\\.slack|discord(?:app)?\\.com/api/|webhook\\.office\\.com|-----BEGIN',
);
/** What may be the number of a card. Long numbers are everywhere in logs, so they are asked about alone. */
const manyDigits = compilePattern('(?:\\d[ -]?){12}\\d');

interface SecretForm {
  readonly pattern: RegExp;
  /** The group that is the secret; 0 is all of it. */
  readonly group: number;
  /** Says no to what only looks like one. */
  readonly accept?: (secret: string) => boolean;
}

/** Words that stand after `token:` and the like in plain sentences and settings, and paths: no secrets. */
const harmless =
  /^(?:(?:\/[\w.-]+){2,}\/?|none|null|nil|true|false|undefined|missing|invalid|expired|required|empty|unknown|reset|changed|incorrect|wrong|failed|not|is|was|has|must|and|or|the|for|of|<[^>]*>|\*+|x+|\[redacted\]|\[filtered\]|\.{3}|\d{1,3})[.,;:!)\]}]*$/i;

function notHarmless(secret: string): boolean {
  return secret.length > 0 && !harmless.test(secret);
}

/** Luhn's check over the digits of a card number; 13 to 19 of them, of a known first digit. */
export function isCardNumber(text: string): boolean {
  const digits = text.replace(/[ -]/g, '');
  if (digits.length < 13 || digits.length > 19 || !/^[2-6]/.test(digits) || /^(\d)\1+$/.test(digits))
    return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    let digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    if (i % 2 === 1) {
      digit *= 2;
      if (digit > 9) digit -= 9;
    }
    sum += digit;
  }
  return sum % 10 === 0;
}

const quotedValue = '("(?:[^"\\\\\\n]|\\\\.){1,4096}"|\'(?:[^\'\\\\\\n]|\\\\.){1,4096}\')';

function unquoted(secret: string): boolean {
  return notHarmless(secret.slice(1, -1));
}

/** In this order; each is linear: bounded repeats, no nested ones. */
const forms: readonly SecretForm[] = [
  {
    pattern:
      /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]{0,8192}?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|$)/g,
    group: 0,
  },
  {
    pattern: /https:\/\/hooks\.slack(?:-gov)?\.com\/(?:services|workflows|triggers)\/([\w/-]{8,200})/g,
    group: 1,
  },
  { pattern: /discord(?:app)?\.com\/api\/(?:v\d+\/)?webhooks\/(\d{5,25}\/[\w-]{20,100})/g, group: 1 },
  { pattern: /webhook\.office\.com\/(webhookb2\/[\w@/-]{20,300})/g, group: 1 },
  { pattern: /api\.telegram\.org\/bot(\d{5,15}:[\w-]{20,60})/g, group: 1 },
  { pattern: /[a-z][a-z0-9+.-]{0,30}:\/\/[^\s/:@'"]{0,256}:([^\s/@'"]{1,256})@/gi, group: 1 },
  { pattern: /[a-z][a-z0-9+.-]{0,30}:\/\/([^\s/:@'"]{16,256})@/gi, group: 1 },
  {
    pattern:
      /[?&;](?:[\w-]{0,40}(?:token|key|secret|password|passwd|pwd|signature|credential)|sig|auth|code|api_?key)=([^&#\s"'<>]{4,1024})/gi,
    group: 1,
    accept: notHarmless,
  },
  { pattern: /\b(?:Bearer|Token)\s{1,4}([\w.~+/=-]{16,4096})/g, group: 1 },
  { pattern: /\bbearer\s{1,4}([\w.~+/=-]{8,4096})/gi, group: 1, accept: (secret) => /\d/.test(secret) },
  {
    pattern: /\bBasic\s{1,4}([A-Za-z0-9+/]{8,1024}={0,2})(?![\w-])/g,
    group: 1,
    accept: (secret) => /[\d=+/]|[a-z][A-Z]/.test(secret),
  },
  { pattern: /\beyJ[\w-]{8,4096}\.[\w-]{4,8192}(?:\.[\w-]{0,2048})?/g, group: 0 },
  { pattern: /\b(?:AKIA|ASIA|AROA|AIDA|AGPA)[A-Z0-9]{12,20}\b/g, group: 0 },
  { pattern: /\bAIza[\w-]{30,45}/g, group: 0 },
  { pattern: /\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{6,200}/g, group: 0 },
  { pattern: /\bsk-(?:[a-z]{2,10}-)?[A-Za-z0-9_-]{20,200}/g, group: 0 },
  { pattern: /\bwhsec_[A-Za-z0-9+/=]{16,200}/g, group: 0 },
  {
    pattern:
      /\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|glpat-[\w-]{16,100}|npm_[A-Za-z0-9]{20,100})/g,
    group: 0,
  },
  { pattern: /\b(?:xox[abeoprs]-[\w-]{8,255}|xapp-[\w-]{10,255})/g, group: 0 },
  { pattern: /\bSG\.[\w-]{16,64}\.[\w-]{16,128}/g, group: 0 },
  // Tokens that their services mark, and Telegram's.
  {
    pattern:
      /\b(?:hf_(?=[A-Za-z0-9]{20})|do[opr]_v1_|shp(?:at|ca|pa|ss)_|dckr_pat_|glsa_|pypi-Ag|sntry[su]_|hvs\.|ya29\.)[\w.-]{20,400}/g,
    group: 0,
  },
  { pattern: /(?<!\d)\d{8,12}:AA[\w-]{30,60}/g, group: 0 },
  // 'password': 'x', "token": "x", password='x', api_key="x", password=SecretStr('x')
  {
    pattern: new RegExp(
      `${secretName}["']?\\]?\\s{0,4}(?:=>|[:=])\\s{0,4}(?:[a-z_][\\w.]{0,40}\\()?[bru]?${quotedValue}`,
      'gi',
    ),
    group: 1,
    accept: unquoted,
  },
  // The same, where the text was cut before the closing quote.
  {
    pattern: new RegExp(
      `${secretName}["']?\\]?\\s{0,4}(?:=>|[:=])\\s{0,4}[bru]?["']([^"'\\\\\\n]{4,4096}?)(?=\\.{3}|\u2026|$)`,
      'gim',
    ),
    group: 1,
    accept: notHarmless,
  },
  // The same escaped once more, inside a JSON or repr text: \"token\": \"x\"
  {
    pattern: new RegExp(`${secretName}\\\\["']\\s{0,4}:\\s{0,4}\\\\["']([^"'\\\\\\n]{1,4096})`, 'gi'),
    group: 1,
    accept: notHarmless,
  },
  // A pair, as of headers: ('X-Api-Key', 'x'), (b'authorization', b'x')
  {
    pattern: new RegExp(`\\([bru]?["'][\\w-]{0,40}${secretName}["'],\\s{0,4}[bru]?${quotedValue}\\)`, 'gi'),
    group: 1,
    accept: unquoted,
  },
  // --password x, '--api-token', 'x', --token=x
  {
    pattern:
      /--[\w-]{0,40}(?:password|passwd|passphrase|token|secret|(?:api|access)-?key)(?:["'],\s{0,4}["']|[=\s]["']?)([^\s"',\]]{4,1024})/gi,
    group: 1,
    accept: notHarmless,
  },
  // mysql -pX, as a line or as a list of arguments
  {
    pattern: /\bmysql[a-z]{0,10}["']?[\s,][^\n]{0,300}?[\s"']-p([^\s"',\]]{1,128})/g,
    group: 1,
    // `docker run mysql -p3306:3306`
    accept: (secret) => !/^[\d.]+:[\d.:]+$/.test(secret),
  },
  // <Password>x</Password>
  {
    pattern: /<[\w:-]{0,30}(?:password|passwd|secret|token|apikey)>([^<\n]{1,1024})<\//gi,
    group: 1,
    accept: notHarmless,
  },
  // Authorization: Token x, Cookie: a=b; c=d
  {
    pattern:
      /(?<![\w-])(?:authorization|proxy-authorization|cookie|set-cookie)["']?\s{0,4}[:=]\s{0,4}["']?((?:(?:bearer|basic|token|digest|apikey)\s{1,4})?[^\s"',}][^\n"'}]{0,4096})/gi,
    group: 1,
    accept: (secret) => notHarmless(secret) && !secret.includes(redacted),
  },
  // password=x, token: x
  {
    pattern: new RegExp(`${secretName}(?:=|:=|=>|%3d)([^\\s"'&,;)\\]}]{1,4096})`, 'gi'),
    group: 1,
    accept: notHarmless,
  },
  {
    pattern: new RegExp(`${secretName}["']?\\s{0,4}[:=]\\s{1,4}([^\\s"'&,;)\\]}]{1,4096})`, 'gi'),
    group: 1,
    accept: (secret) =>
      notHarmless(secret) && (/\d/.test(secret) || /[^\w.:-]/.test(secret) || secret.length >= 20),
  },
];
const cardForms: readonly SecretForm[] = [
  { pattern: /(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])/g, group: 0, accept: isCardNumber },
];

/** What code writes, as in `login(password=password)`: it goes, but a field that holds the word, `users.reset_password`, stays. */
const nameItself =
  /^(?:password|passwd|passphrase|passcode|pass|pwd|token|secret|key|api_?key|credentials?|authorization|cookie)$/i;
/** Secrets of one text kept for its fields. */
const maxSecrets = 200;

/** The text without its secrets. Linear; texts without a suspicion come back as they are. `bytes`: the same as UTF-8, if at hand. */
export function redact(text: string, bytes?: Buffer): Redaction {
  const asked = bytes ?? text;
  const words = !suspicion.ok || suspicion.pattern.test(asked);
  const digits = !manyDigits.ok || manyDigits.pattern.test(asked);
  if (!words && !digits) return { text, secrets: [] };
  const secrets = new Set<string>();
  let result = text;
  for (const { pattern, group, accept } of [...(words ? forms : []), ...(digits ? cardForms : [])]) {
    result = result.replace(pattern, (...args: unknown[]) => {
      const whole = String(args[0]);
      const secret = String(args[group] ?? '');
      if (secret === '' || secret.includes(mark) || (accept && !accept(secret))) return whole;
      const quote = group !== 0 && /^["']/.test(secret) ? (secret[0] ?? '') : '';
      const bare = quote ? secret.slice(1, -1) : secret;
      if (secrets.size < maxSecrets && !nameItself.test(bare)) {
        secrets.add(bare);
        // A JSON line has it escaped, its fields have not.
        if (bare.includes('\\')) secrets.add(unescaped(bare));
      }
      if (group === 0) return redacted;
      const at = whole.lastIndexOf(secret);
      return `${whole.slice(0, at)}${quote}${redacted}${quote}${whole.slice(at + secret.length)}`;
    });
  }
  return { text: result, secrets: [...secrets].sort((a, b) => b.length - a.length) };
}

function unescaped(text: string): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}

/** Shortest part of a secret that gives it away: a capture of one or two characters is no secret. */
const tellingPart = 4;

/** A value captured from a text with these secrets: without them, and gone altogether where it is a part of one. */
export function redactValue(value: string, secrets: readonly string[]): string {
  let result = value;
  for (const secret of secrets) {
    if (result.length >= tellingPart && secret.includes(result)) return redacted;
    if (result.includes(secret))
      result = shortWord.test(secret) ? withoutWord(result, secret) : result.split(secret).join(redacted);
  }
  return result;
}

/** So short, or so much like a word, that it may be a part of other words: `ab`, or `data` of `password=data`. */
const shortWord = /^(?:.{1,3}|[A-Za-z_]{4,8})$/s;

/** The text without a secret where that stands for itself. */
function withoutWord(text: string, secret: string): string {
  let result = '';
  let from = 0;
  for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + secret.length)) {
    const end = at + secret.length;
    if (/\w/.test(text[at - 1] ?? '') || /\w/.test(text[end] ?? '')) continue;
    result += text.slice(from, at) + redacted;
    from = end;
  }
  return result + text.slice(from);
}

/** The same for a value of any shape; names of fields are kept. The shape has no more levels than fields may have. */
export function redactFields(value: FieldValue, secrets: readonly string[]): FieldValue {
  if (typeof value === 'string') return redactValue(value, secrets);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((one: FieldValue) => redactFields(one, secrets));
  const clean: Record<string, FieldValue> = Object.create(null);
  for (const [name, one] of Object.entries(value as Record<string, FieldValue>))
    clean[name] = redactFields(one, secrets);
  return clean;
}
