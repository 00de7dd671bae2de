/** MALFORMED: it can be read in more than one way, or in none. The others: it exceeds a bound. */
export type FramingProblem = "MALFORMED" | "HEAD_TOO_LARGE" | "BODY_TOO_LARGE";

/** Bytes that are not valid HTTP/1.1. Its message continues "it is refused:", in logs and for senders. */
export class FramingError extends Error {
  readonly problem: FramingProblem;

  constructor(message: string, problem: FramingProblem = "MALFORMED") {
    super(message);
    this.problem = problem;
  }
}

export function malformed(reason: string): never {
  throw new FramingError(reason);
}
