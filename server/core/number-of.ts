/** A number and what it counts, in words: `1 token`, `2 tokens`. */
export function numberOf(count: number, one: string, many = `${one}s`): string {
  return `${String(count)} ${count === 1 ? one : many}`;
}
