/** What the sandbox provider says. */
const SENTENCES = [
  "A key that nobody rotates is a key that somebody else may already hold.",
  "The pool had eleven keys this morning and one of them needed a rest.",
  "Streams end with a reason, or they say that they were cut.",
  "阿里云通义万相 draws, and the column beside it still lines up.",
  "Latency is what the caller feels and throughput is what the operator pays for.",
  "Every token is counted once, where it was used, and by the one who used it.",
  "Nothing here was written by a model, and no provider was asked.",
] as const;

/** The words of one to four sentences. */
export function replyWords(): string[] {
  const count = 1 + Math.floor(Math.random() * 4);
  const start = Math.floor(Math.random() * SENTENCES.length);
  const chosen = Array.from({ length: count }, (_, i) => SENTENCES[(start + i) % SENTENCES.length]);
  return chosen.join(" ").split(" ");
}
