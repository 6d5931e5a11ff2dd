/** Receives syslog datagrams over a unix socket, as programs send them to `/dev/log`. A sender waits while it is full: none is lost. */
import { chmodSync } from 'node:fs';
import { DatagramBatch } from './datagram-batch.ts';
import type { Feed } from './feed.ts';
import type { SyslogIntake } from './syslog-intake.ts';
import { cannotListen, type Listener } from './syslog-listener.ts';
import { openUnixDatagrams, type UnixDatagrams } from './unix-datagram.ts';
import { freeSocketPath, removeSocket, socketMode } from './unix-path.ts';

export class UnixDatagramListener implements Listener {
  readonly name: string;
  readonly #path: string;
  readonly #intake: SyslogIntake;
  readonly #batch: DatagramBatch;
  #socket: UnixDatagrams | null = null;
  #feed: Feed | null = null;

  constructor(path: string, intake: SyslogIntake) {
    this.name = `unix ${path}`;
    this.#path = path;
    this.#intake = intake;
    this.#batch = new DatagramBatch(intake.clock, (feed, data, frames) => intake.give(feed, data, frames));
  }

  async open(): Promise<void> {
    try {
      await freeSocketPath(this.#path);
      // All programs of the machine are one stream: who sent is in the messages.
      const feed = this.#intake.open('unix', null);
      this.#socket = openUnixDatagrams(this.#path, (data) => {
        if (data.length > 0) this.#batch.add(feed, data);
      });
      chmodSync(this.#path, socketMode);
      this.#feed = feed;
    } catch (error) {
      throw cannotListen(this.name, error);
    }
  }

  bound(): string {
    return this.name;
  }

  changed(): void {}

  async tick(): Promise<void> {}

  async close(): Promise<void> {
    if (this.#socket === null) return;
    // The name goes first: nobody sends any more, and what is there is read.
    removeSocket(this.#path);
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    this.#socket.close();
    this.#socket = null;
    this.#batch.flush();
    if (this.#feed !== null) this.#intake.close(this.#feed);
    this.#feed = null;
  }
}
