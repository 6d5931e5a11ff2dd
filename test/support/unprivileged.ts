/**
 * Runs a program as the image runs it: a user without rights, no capabilities and no way to get any, and a root file system that
 * can't be written but for one folder. Needs to be root, and a kernel that gives a mount namespace of one's own.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { program } from './program.ts';

/** `nobody`. */
export const unprivilegedUser = 65_534;

const script = `
set -e
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec setpriv --reuid ${unprivilegedUser} --regid ${unprivilegedUser} --clear-groups \\
  --inh-caps -all --ambient-caps -all --bounding-set -all --no-new-privs -- "$@"
`;

/** What stands before the program and its arguments; `writable` is the one folder. The process keeps its number and takes signals. */
export function unprivileged(writable: string): readonly string[] {
  return ['unshare', '--mount', 'sh', '-c', script, 'sh', writable];
}

/** Why a program can't be run so here, or null. */
export function whyNotUnprivileged(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  const [command = '', ...args] = [...unprivileged('/tmp'), 'sh', '-c', `test -r "$0" && test -r "$1"`];
  const tried = spawnSync(command, [...args, process.execPath, program], { encoding: 'utf8' });
  if (tried.error) return `needs unshare: ${tried.error.message}`;
  if (tried.status !== 0)
    return `needs a mount namespace, and a program that everybody may read: ${tried.stderr.trim() || `exit ${tried.status}`}`;
  try {
    accessSync('/proc/self/status', constants.R_OK);
    return null;
  } catch {
    return 'needs /proc';
  }
}
