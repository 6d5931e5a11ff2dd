/**
 * What the state has to say to a person, as values: something was set aside, is written to memory only, or works again.
 * Nothing here prints; the daemon logs these, shows them in `status` and sends those of level `error` as alarms.
 */

export type NoticeCode =
  | 'E_STATE_DISK_FULL'
  | 'E_STATE_READ_ONLY'
  | 'E_STATE_IO'
  | 'E_STATE_BUSY'
  | 'E_STATE_PERM'
  | 'E_STATE_DAMAGED'
  | 'E_STATE_DOCUMENT'
  | 'E_STATE_UNLOCKED'
  | 'STATE_MIGRATED'
  | 'STATE_RECOVERED';

export interface Notice {
  readonly code: NoticeCode;
  /** `error`: something was lost or a person must act. `info`: it is well again, or was done as asked. */
  readonly level: 'error' | 'warning' | 'info';
  /** What happened, to which file, and what happens next. */
  readonly message: string;
  /** The file it is about, or null. */
  readonly path: string | null;
}
