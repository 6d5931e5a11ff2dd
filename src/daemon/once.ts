/** `--once`: everything there is, to the end; then what is untold; then delivery. Gives the exit code. */
import type { Parts } from './parts.ts';

/** What is not delivered so long after the end of the input is said to be undelivered. */
const deliverMs = 60_000;

/** 0 when all was read and delivered, else 1; what is missing is logged. */
export async function finishOnce(parts: Parts): Promise<number> {
  const { pipeline, engine, desk, sender, time, config } = parts;
  await parts.sources.drain();
  pipeline.commit();
  const now = time.now();
  engine.finish(now);
  desk.finish(now);
  pipeline.commit();
  const late = await waitForDelivery(parts);
  const { log } = parts.options;
  for (const channel of config.channels) {
    const facts = sender.facts(channel.name);
    if (!facts || facts.queued === 0) continue;
    log.error(
      { channel: channel.name, messages: facts.queued, error: facts.lastError },
      late ? 'not delivered within 60 s' : 'not delivered',
    );
  }
  const failing = [...pipeline.facts.values()].some((facts) => facts.state === 'failing');
  // What an earlier run gave up was said by that run.
  return sender.queued() > 0 || failing || sender.letters.anySince(parts.startedAt) ? 1 : 0;
}

/**
 * Where pipes are all that is read, their end is the end as in `--once`: the program that was piped in is gone, and nothing
 * would ever come. Never resolves while there is something else to read.
 */
export async function finishPipes(parts: Parts): Promise<number> {
  if (!parts.config.sources.every((source) => source.kind === 'stdin')) return new Promise(() => {});
  return finishOnce(parts);
}

/** Whether time ran out. A channel that only a person can mend is not waited for. */
async function waitForDelivery({ sender, options }: Parts): Promise<boolean> {
  let late = false;
  const deadline = new Promise<void>((resolve) => {
    options.clock.setTimer(deliverMs, () => {
      late = true;
      resolve();
    });
  });
  await Promise.race([sender.settled(), deadline]);
  return late;
}
