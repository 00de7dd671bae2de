/** Adds each item. `push(...more)` would overflow the stack where there are very many. */
export function append<T>(to: T[], more: Iterable<T>): void {
  for (const each of more) to.push(each);
}
