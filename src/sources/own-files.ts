/**
 * The files that this process itself prints into: its standard output and standard error, where they were sent to a file. A daemon
 * that reads what it prints would answer itself for ever. Gives their inodes; a pipe or a terminal is none.
 */
import { fstatNow, isFault } from './disk.ts';
import { inodeName } from './identity.ts';

/** Inodes of what is printed into, as `inodeName` writes them. Empty where it goes to no file. */
export function ownFiles(): ReadonlySet<string> {
  const own = new Set<string>();
  for (const descriptor of [1, 2]) {
    const stat = fstatNow(descriptor);
    if (!isFault(stat) && stat.isFile()) own.add(inodeName(stat));
  }
  return own;
}
