/**
 * Keeps questions to mounts that may hang from taking all the threads that ask: whoever waits for an answer that never comes holds
 * one of libuv's four. Takes what is to be asked, asks it when there is room, gives its answer. Knows nothing of what is asked.
 */

/** Questions under way at once: half the threads of libuv, so that local files are read whatever hangs. */
export const remoteQuestionsMax = 2;

let underWay = 0;
const waiting: (() => void)[] = [];

/** Asks when it is its turn. Rejects as `ask` does. */
export async function askRemote<T>(ask: () => Promise<T>): Promise<T> {
  if (underWay >= remoteQuestionsMax) await new Promise<void>((resolve) => waiting.push(resolve));
  else underWay++;
  try {
    return await ask();
  } finally {
    // Its place goes to the next one as it is.
    const next = waiting.shift();
    if (next) next();
    else underWay--;
  }
}
