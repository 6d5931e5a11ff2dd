/**
 * The keys of a source `docker`: where the Engine listens, and which containers are read. Whether there is an Engine is found out
 * when it runs.
 */
import { resolve } from 'node:path';
import type { DockerSourceConfig, SourceCommon } from '../model/config.ts';
import { key, object, type ReadKeys } from './objects.ts';
import { flag, pathText, text } from './scalars.ts';
import { forms, map, oneOrMany, record } from './shape.ts';

const socketDefault = '/var/run/docker.sock';
const nameText = text({ expects: 'a name such as web or web-*', max: 256 });

const dockerKeys = {
  socket: key(pathText, `Where the Engine listens; ${socketDefault} by default.`),
  names: key(oneOrMany(nameText), 'Containers by name, `*` is anything; all by default.'),
  exclude: key(oneOrMany(nameText), 'Containers that are left out, by name.'),
  images: key(oneOrMany(nameText), 'Containers by image.'),
  labels: key(
    record(
      { expects: 'the name of a label', pattern: /^\S{1,256}$/ },
      text({ expects: 'a value, or * for any', max: 1_024, allowEmpty: true }),
      { expects: 'a map of labels and their values' },
    ),
    'Labels that a container must have, with their values; * is any.',
  ),
};
type DockerValues = ReadKeys<typeof dockerKeys>;

/** `docker: true` is all containers of the usual socket. */
export const dockerShape = forms<DockerValues | null, never, DockerValues>(
  'true, or { names, labels, images, exclude, socket }',
  {
    scalar: map(flag(), (on): DockerValues | null => (on ? {} : null)),
    map: object(dockerKeys, { what: 'docker' }),
  },
);

type Own = Omit<DockerSourceConfig, keyof SourceCommon | 'kind' | 'start'>;

/** Checked keys -> the source's own part; the path is relative to `folder`. */
export function dockerOf(found: DockerValues, folder: string): Own {
  return {
    socket: resolve(folder, found.socket ?? socketDefault),
    names: found.names ?? [],
    exclude: found.exclude ?? [],
    images: found.images ?? [],
    containerLabels: Object.fromEntries([...(found.labels ?? [])].map(([name, { value }]) => [name, value])),
  };
}
