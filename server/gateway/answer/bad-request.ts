import type { BadRequest, WholeAnswer } from "../../caller/caller-connection.js";
import { Fault } from "../../core/fault.js";
import { faultAnswer } from "./own-answers.js";

const HTTP_STATUS: Readonly<Record<BadRequest, number>> = {
  MALFORMED: 400,
  LATE: 408,
  BODY_TOO_LARGE: 413,
  HEAD_TOO_LARGE: 431,
};

/** How a caller is told that what it sent is no request: nobody knows in which dialect it would have been. */
export function refusalOf(problem: BadRequest, reason: string, requestId: string): WholeAnswer {
  const httpStatus = HTTP_STATUS[problem];
  return faultAnswer({ fault: unacceptable(reason), dialect: "OPENAI", requestId, httpStatus });
}

export function unacceptable(reason: string): Fault {
  return new Fault("malformed_request", `The request is not acceptable: ${reason}.`);
}
