/** Adds each of these. As the arguments of one `push` very many would not fit on the stack. */
export function append<T>(to: T[], more: Iterable<T>): void {
  for (const each of more) to.push(each);
}
