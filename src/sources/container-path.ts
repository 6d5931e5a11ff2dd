/**
 * Whose log a file is, from its path: of a pod's container under Kubernetes, or of a container of Docker. Takes a path, gives facts
 * for the fields of its records, or undefined where the path is no such log. Docker's own note beside the log is read where that is
 * allowed; everything else is in the name. Never throws.
 */
import { readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import type { Fields, FieldValue } from '../model/record.ts';

/** `POD_NAMESPACE_CONTAINER-ID.log`: the links that the kubelet makes in /var/log/containers. */
const link =
  /^([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)_([a-z0-9-]+)_([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)-([0-9a-f]{64})\.log/;
/** `NAMESPACE_POD_UID/CONTAINER/0.log`, and `0.log.20260105-100000.gz` after a rotation: where they lead to in /var/log/pods. */
const pod =
  /\/([a-z0-9-]+)_([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)_[0-9a-f][0-9a-f-]{30,35}\/([a-z0-9][a-z0-9-]*)\/\d+\.log[^/]*$/;
/** `ID/ID-json.log`, and its rotated `.1`, `.2.gz`. */
const docker = /\/([0-9a-f]{64})\/\1-json\.log[^/]*$/;
/** The note has some tens of KiB. */
const noteMax = 1024 * 1024;
const labelsMax = 64;
const textMax = 1_024;

/** Facts of the container that writes a log, or undefined. */
export function containerOfPath(path: string): Fields | undefined {
  const linked = link.exec(posix.basename(path));
  if (linked) {
    const [, name = '', namespace = '', container = '', id = ''] = linked;
    return { pod: name, namespace, container, container_id: id };
  }
  const real = pod.exec(path);
  if (real) {
    const [, namespace = '', name = '', container = ''] = real;
    return { pod: name, namespace, container };
  }
  const own = docker.exec(path);
  if (!own) return undefined;
  return { container: { id: own[1] ?? '', ...noteBeside(path) } };
}

/** Name, image and labels, as Docker keeps them in `config.v2.json`; nothing where it may not be read. */
function noteBeside(path: string): Record<string, FieldValue> {
  try {
    const place = posix.join(posix.dirname(path), 'config.v2.json');
    const stat = statSync(place);
    if (!stat.isFile() || stat.size > noteMax) return {};
    const note = JSON.parse(readFileSync(place, 'utf8')) as {
      readonly Name?: unknown;
      readonly Config?: { readonly Image?: unknown; readonly Labels?: unknown };
    };
    return {
      ...(typeof note.Name === 'string' ? { name: note.Name.replace(/^\//, '') } : {}),
      ...(typeof note.Config?.Image === 'string' ? { image: note.Config.Image } : {}),
      ...labelFields(note.Config?.Labels),
    };
  } catch {
    return {};
  }
}

/** Labels of a container as a field, where it has any. */
export function labelFields(labels: unknown): Record<string, FieldValue> {
  if (typeof labels !== 'object' || labels === null) return {};
  const found: Record<string, FieldValue> = Object.create(null);
  for (const [name, value] of Object.entries(labels).slice(0, labelsMax))
    if (typeof value === 'string') found[name] = value.slice(0, textMax);
  return Object.keys(found).length > 0 ? { labels: found } : {};
}
