import { describe, expect, it } from 'vitest';
import { redact, redactValue } from '../../src/match/redact.ts';

const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl';
/** Each line holds `KEEP-OUT` parts that must go; alone, so that no other form helps the first question to a yes. */
const lines: readonly (readonly [line: string, secret: string])[] = [
  ['INFO one password=hunter2', 'hunter2'],
  ['passwd=hunter2', 'hunter2'],
  ['db_password: hunter2!', 'hunter2!'],
  ["credentials='s3cr3t'", 's3cr3t'],
  ['secret_key=s3cr3t', 's3cr3t'],
  ['access_key_id=s3cr3t77', 's3cr3t77'],
  ['client_secret=s3cr3t', 's3cr3t'],
  ["kwargs={'api_key': 's3cr3t'}", 's3cr3t'],
  ['{\\"token\\": \\"s3cr3t\\"}', 's3cr3t'],
  ['GET /x?mykey=abcd1234', 'abcd1234'],
  ['GET /x?a=1;auth=abcd1234', 'abcd1234'],
  ['GET https://bob:s3cr3t@example.com/', 's3cr3t'],
  ['Authorization: Token 0123456789abcdef0123', '0123456789abcdef0123'],
  ['sent Token 0123456789abcdef0123', '0123456789abcdef0123'],
  ['Cookie: a=b; c=d', 'c=d'],
  [`with ${jwt} in it`, jwt],
  ['key AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE'],
  ['role AROAIOSFODNN7EXAMPLE', 'AROAIOSFODNN7EXAMPLE'],
  ['pk_test_abcdef123456', 'pk_test_abcdef123456'],
  ['card 4111 1111 1111 1111 declined', '4111 1111 1111 1111'],
  ['api_key=AKIAIOSFODNN7EXAMPLE', 'AKIAIOSFODNN7EXAMPLE'],
  ['PGPASSWORD=s3cr3tpw pg_dump', 's3cr3tpw'],
  ["'newPassword': 's3cr3tpw'", 's3cr3tpw'],
  ['password2=s3cr3tpw', 's3cr3tpw'],
  ['password_confirmation=s3cr3tpw', 's3cr3tpw'],
  ['csrfmiddlewaretoken=s3cr3tpw', 's3cr3tpw'],
  ["{'SecretAccessKey': 's3cr3tpw'}", 's3cr3tpw'],
  ["stripeApiKey='s3cr3tpw'", 's3cr3tpw'],
  ['user=bob pass=s3cr3tpw', 's3cr3tpw'],
  ['unexpected password: s3cr3tpw', 's3cr3tpw'],
  ['unexpected token: s3cr3tpw-of-a-service', 's3cr3tpw'],
  ['password%3Ds3cr3tpw', 's3cr3tpw'],
  ["Account(password=SecretStr('s3cr3tpw'))", 's3cr3tpw'],
  ['{"token": "cut before its en', 'cut before its en'],
  ["{'password': 's3cr3tpw...", 's3cr3tpw'],
  ["[('X-Api-Key', 's3cr3tpw')]", 's3cr3tpw'],
  ["(b'authorization', b'Custom s3cr3tpw')", 's3cr3tpw'],
  ["Command '['psql', '--password', 's3cr3tpw']' returned non-zero", 's3cr3tpw'],
  ['deploy --api-token s3cr3tpw --x', 's3cr3tpw'],
  ["Command '['mysqldump', '-uroot', '-ps3cr3tpw']'", 's3cr3tpw'],
  ['<wsse:Password>s3cr3tpw</wsse:Password>', 's3cr3tpw'],
  ['hf_abcdefghijklmnopqrstuvwxyz', 'abcdefghijklmnopqrstuvwxyz'],
  ['bot123456789:AAF-abcdefghijklmnopqrstuvwxyz12345', 'AAF-abcdefghijklmnopqrstuvwxyz12345'],
];

describe('redaction of secrets in log text', () => {
  it.each(lines)('F10 takes the secret out of: %s', (line, secret) => {
    const { text, secrets } = redact(line);
    expect(text).not.toContain(secret);
    expect(text).toContain('[redacted]');
    expect(secrets.length).toBeGreaterThan(0);
  });

  it.each(lines)('a second time changes nothing: %s', (line) => {
    const once = redact(line).text;
    expect(redact(once).text).toBe(once);
    expect(once).not.toContain('[redacted]]');
  });

  it('sentences with such words stay as they are', () => {
    for (const line of [
      'Task auth.reset_password[a1] raised unexpected: KeyError()',
      'the password is wrong for user bob',
      'token expired, asking for a new one',
      'invalid token: expired',
      'PWD=/srv/app/current',
      'max_tokens=4096 tokenizer=bert-base',
      "missing fields: ['password', 'email']",
      'read it with --password-file /run/secrets/pw',
      'Tests: pass=3120 fail=2, or pass: 3120, failed: 2',
      "SyntaxError: Unexpected token: 'else'",
      'hf_hub_download_to_a_cache_folder, pypi-server-0.0.1-and-a-long-name',
      'docker run --name mysql -p3306:3306 mysql',
      'primary_key: 42, sort_key=a1b2, bypass=true1, passed=12',
    ])
      expect(redact(line).text).toBe(line);
  });

  it('F9 a chain of words joined by dots or hyphens is read once, however long', () => {
    for (const piece of [
      'a-',
      'a.',
      'x.token',
      'password-',
      'token',
      "('password",
      '--password',
      'mysql -',
    ]) {
      const line = `password=hunter2 ${piece.repeat(Math.ceil(120_000 / piece.length))}`;
      const begin = performance.now();
      expect(redact(line).text).toContain('[redacted]');
      expect(performance.now() - begin, piece).toBeLessThan(2000);
    }
  });

  it('a field captured from the text loses the secret too', () => {
    const { secrets } = redact('login with password=hunter2222 failed');
    expect(redactValue('hunter2222', secrets)).toBe('[redacted]');
    expect(redactValue('a hunter2222 b', secrets)).toBe('a [redacted] b');
  });

  it('words of code in place of a secret take nothing out of fields that hold these words', () => {
    const { text, secrets } = redact("connect(user, password=password, secret=data)\npwd='ab'");
    expect(text).toBe("connect(user, password=[redacted], secret=[redacted])\npwd='[redacted]'");
    expect(redactValue('users.reset_password', secrets)).toBe('users.reset_password');
    expect(redactValue('database.sync_table', secrets)).toBe('database.sync_table');
    expect(redactValue('with data, ab and (ab)', secrets)).toBe(
      'with [redacted], [redacted] and ([redacted])',
    );
  });
});
