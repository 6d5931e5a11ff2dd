/** A progress bar for long work: on a terminal only, never in a pipe, redrawn at most ten times a second. */
import type { CliIo } from './io.ts';

const width = 30;
const redrawMs = 100;

export interface ProgressBar {
  /** So much is done. */
  at(done: number): void;
  /** Takes the bar away. May be called twice. */
  done(): void;
}

export function progressBar(io: CliIo, label: string, total: number): ProgressBar {
  if (io.stderr.isTTY !== true || total <= 0) return { at: () => {}, done: () => {} };
  let drawnAt = Number.NEGATIVE_INFINITY;
  let shown = false;
  const started = io.clock.monotonic();
  return {
    at(done) {
      const now = io.clock.monotonic();
      if (now - drawnAt < redrawMs) return;
      drawnAt = now;
      shown = true;
      const share = Math.min(1, done / total);
      const filled = Math.round(share * width);
      const rate = done / 1e6 / Math.max(0.001, (now - started) / 1000);
      io.stderr.write(
        `\r${label} [${'#'.repeat(filled)}${'.'.repeat(width - filled)}] ${(share * 100).toFixed(0).padStart(3)} %  ${rate.toFixed(0)} MB/s `,
      );
    },
    done() {
      if (shown) io.stderr.write('\r\u001b[K');
      shown = false;
    },
  };
}
