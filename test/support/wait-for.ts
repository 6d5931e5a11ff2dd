/** Waits for a fact, never for a time: asks again until it holds, and says what was missing when it never did. */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | false | null,
  deadlineMs = 30_000,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const found = look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
