/**
 * Reads the files of one configuration, once each: finds paths relative to the file that names them, keeps to the
 * limits over all files, refuses paths that climb out of the folder, and remembers every text for frames, watching and the last
 * good copy. Secrets pass through and are remembered as a hash only.
 */
import { createHash } from 'node:crypto';
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { allBytesMax, type ConfigFiles, filesMax } from './files.ts';
import { isGlob } from './glob.ts';
import { quoteShort, type YamlMap, type YamlNode, type YamlScalar } from './nodes.ts';
import type { Reading, SideFiles } from './reading.ts';
import { readYaml } from './yaml.ts';

export class FileReader implements SideFiles {
  readonly #files: ConfigFiles;
  /** Path -> text of all that was read. */
  readonly texts = new Map<string, string>();
  /** Path -> hash of secrets. */
  readonly secretHashes = new Map<string, string>();
  #bytes = 0;

  constructor(files: ConfigFiles) {
    this.#files = files;
  }

  /** A file of YAML by its absolute path; null after problems were reported, at `node` where it was named. */
  yaml(path: string, reading: Reading, node: YamlNode | null, within: string | null = null): YamlMap | null {
    const text = this.#text(path, reading, node, within);
    if (text === undefined) return null;
    const parsed = readYaml(path, text);
    for (const problem of parsed.problems) {
      reading.problems.push(problem);
      reading.errors += 1;
    }
    return parsed.ok ? parsed.root : null;
  }

  #text(path: string, reading: Reading, node: YamlNode | null, within: string | null): string | undefined {
    const known = this.texts.get(path);
    if (known !== undefined) return known;
    const say = (code: Parameters<Reading['error']>[0], message: string, hint: string | null): undefined =>
      node === null
        ? reading.errorAt(code, { file: path, line: 1, column: 1, length: 1 }, '', message, hint)
        : reading.error(code, node, message, hint);
    if (this.texts.size >= filesMax) {
      return say(
        'E_FILE_SIZE',
        `the configuration has more than ${filesMax} files`,
        'put several rules into one file',
      );
    }
    const read = this.#files.read(path, within);
    if (!read.ok && read.line !== undefined) {
      const origin = { file: path, line: read.line, column: 1, length: 1 };
      return reading.errorAt(read.code, origin, '', read.message, read.hint);
    }
    if (!read.ok) return say(read.code, read.message, read.hint);
    this.#bytes += Buffer.byteLength(read.text);
    if (this.#bytes > allBytesMax) {
      return say(
        'E_FILE_SIZE',
        `the files of the configuration hold more than ${allBytesMax} bytes together`,
        'long lists go into fewer, shorter files',
      );
    }
    this.texts.set(path, read.text);
    return read.text;
  }

  /** Absolute path of what a file names; undefined (and E_PATH) where a relative one climbs out of the file's folder. */
  inside(node: YamlScalar, text: string, reading: Reading): string | undefined {
    const folder = dirname(node.file.path);
    const path = resolve(folder, text);
    if (!isAbsolute(text) && relative(folder, path).split('/')[0] === '..') {
      return reading.error(
        'E_PATH',
        node,
        `${quoteShort(text)} leads out of ${folder}`,
        'keep it below that folder, or write its absolute path',
      );
    }
    return path;
  }

  /** Paths that an entry of `rules:` stands for. Nothing found is an error for a path, a warning for a glob. */
  ruleFiles(
    node: YamlScalar,
    text: string,
    reading: Reading,
  ): { readonly glob: string; readonly paths: readonly string[] } | undefined {
    const glob = this.inside(node, text, reading);
    if (glob === undefined) return undefined;
    if (!isGlob(text)) return { glob, paths: [glob] };
    const paths = this.#files.glob(glob);
    if (paths.includes(node.file.path))
      return reading.error(
        'E_VALUE',
        node,
        `${quoteShort(text)} takes in the configuration itself, which is no file of rules`,
        'put the rules into a folder of their own and write rules/*.yaml, or name the files',
      );
    if (paths.length === 0)
      reading.warn(
        'W_NO_FILES',
        node,
        `no file matches ${quoteShort(text)} in ${dirname(node.file.path)}`,
        'correct the path, or put a file there: it is taken up by itself',
      );
    if (paths.length > filesMax) {
      return reading.error(
        'E_FILE_SIZE',
        node,
        `more than ${filesMax} files match ${quoteShort(text)}`,
        'put several rules into one file',
      );
    }
    return { glob, paths };
  }

  /** Paths of a glob that no node names. */
  glob(pattern: string): readonly string[] {
    return this.#files.glob(pattern);
  }

  text(node: YamlScalar, reading: Reading): { readonly path: string; readonly text: string } | undefined {
    const named = reading.expand(node);
    const path = named === undefined ? undefined : this.inside(node, named, reading);
    if (path === undefined || named === undefined) return undefined;
    const text = this.#text(path, reading, node, isAbsolute(named) ? null : dirname(node.file.path));
    return text === undefined ? undefined : { path, text };
  }

  secret(node: YamlScalar, reading: Reading): string | undefined {
    const named = reading.expand(node);
    if (named === undefined) return undefined;
    const path = resolve(dirname(node.file.path), named);
    const read = this.#files.readSecret(path);
    this.secretHashes.set(
      path,
      read.ok ? createHash('sha256').update(read.text).digest('hex') : 'unreadable',
    );
    if (!read.ok) return reading.error('E_SECRET_FILE', node, read.message, read.hint);
    const secret = read.text.trim();
    if (secret === '')
      return reading.error('E_SECRET_FILE', node, `${path} is empty`, 'write the secret into it');
    if (/[\r\n]/.test(secret))
      return reading.error(
        'E_SECRET_FILE',
        node,
        `${path} has more than one line`,
        'the file holds the secret and nothing else',
      );
    return secret;
  }
}
