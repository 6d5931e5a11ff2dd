/**
 * The account of each channel: every match routed to it is in exactly one of seven places, and `matched` is their sum.
 * Only this file moves a match from one place to another.
 */
import type { Cover, Ledger } from '../model/intent.ts';
import type { Table } from '../model/store.ts';

export interface Accounts {
  /** Matches that will be told. */
  pending(channels: readonly string[], matches: number): void;
  /** Matches of an incident that this channel joins late. */
  begin(channel: string, cover: Cover): void;
  /** Matches that are in the count and will not be told on their own. */
  counted(channels: readonly string[], matches: number): void;
  silenced(channels: readonly string[], matches: number): void;
  /** A message was delivered. */
  delivered(channel: string, cover: Cover): void;
  /** A message was given up. */
  dead(channel: string, cover: Cover): void;
  /** A dead message is tried again. */
  revived(channel: string, cover: Cover): void;
  of(channel: string): Readonly<Ledger>;
}

function emptyLedger(): Ledger {
  return { matched: 0, notified: 0, counted: 0, pending: 0, silenced: 0, muted: 0, trial: 0, dead: 0 };
}

/** Whether the account adds up, with no place below nothing. */
export function isBalanced({ matched, ...places }: Readonly<Ledger>): boolean {
  const counts = Object.values(places);
  return counts.every((count) => count >= 0) && matched === counts.reduce((sum, count) => sum + count, 0);
}

export function newAccounts(table: Table<Ledger>): Accounts {
  const change = (channel: string, how: (ledger: Ledger) => void): void => {
    const ledger = table.get(channel) ?? emptyLedger();
    how(ledger);
    table.put(channel, ledger, null);
  };
  const add =
    (place: 'pending' | 'counted' | 'silenced') => (channels: readonly string[], matches: number) => {
      for (const channel of channels) {
        change(channel, (ledger) => {
          ledger.matched += matches;
          ledger[place] += matches;
        });
      }
    };
  return {
    pending: add('pending'),
    counted: add('counted'),
    silenced: add('silenced'),
    begin: (channel, cover) => add('pending')([channel], cover.opened + cover.repeats),
    delivered: (channel, cover) =>
      change(channel, (ledger) => {
        ledger.pending -= cover.opened + cover.repeats;
        ledger.notified += cover.opened;
        ledger.counted += cover.repeats;
      }),
    dead: (channel, cover) =>
      change(channel, (ledger) => {
        ledger.pending -= cover.opened + cover.repeats;
        ledger.dead += cover.opened + cover.repeats;
      }),
    revived: (channel, cover) =>
      change(channel, (ledger) => {
        ledger.pending += cover.opened + cover.repeats;
        ledger.dead -= cover.opened + cover.repeats;
      }),
    of: (channel) => table.get(channel) ?? emptyLedger(),
  };
}
