/**
 * Runs `work` on all items, at most `width` at a time, and yields each result as it is known. Ending the
 * iteration early starts no more of them; the first that throws ends it.
 */
export async function* inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const running = new Map<number, Promise<{ readonly index: number; readonly value: R }>>();
  let index = 0;
  const start = (): void => {
    const item = items[index];
    if (item === undefined) return;
    const at = index++;
    const settled = work(item).then((value) => ({ index: at, value }));
    // A failure is thrown where the result is awaited; after an early end nobody awaits it, and it must not end the
    // process.
    settled.catch(() => undefined);
    running.set(at, settled);
  };
  for (let i = 0; i < Math.min(width, items.length); i++) start();
  while (running.size > 0) {
    const done = await Promise.race(running.values());
    running.delete(done.index);
    start();
    yield done.value;
  }
}
