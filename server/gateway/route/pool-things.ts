import { Fault } from "../../core/fault.js";
import { isNull, readString } from "../../dialect/json-span.js";
import { scanMember, scanObject } from "../../dialect/json-scan.js";
import { WantedMembers } from "../../dialect/wanted-members.js";
import type { Match } from "./match.js";
import { uploadIn } from "../request/uploads.js";

const FILE_MEMBER = new WantedMembers(["file"]);
const NAME_MEMBER = new WantedMembers(["name"]);

/**
 * The accounts behind the pool hold what their owners and other callers made, who know it by ids that nobody can guess:
 * they are not listed, and nobody chooses one. Throws Fault `permission_denied`.
 */
export function refuseInPool(match: Match, query: string, body: Buffer): void {
  const { method, uploads } = match.endpoint;
  if (method === "GET" && match.id === "") {
    throw new Fault(
      "permission_denied",
      "A list would show what others have in the account behind a shared provider key; ask for things by their ids, or with a client key of your own provider keys.",
    );
  }
  if (uploads && uploadIn(query) === "" && body.length > 0 && choosesName(body)) {
    throw new Fault(
      "permission_denied",
      "Others who share the account behind this provider key could guess the name of your file; begin the upload with JSON that names none, or with a client key of your own provider keys.",
    );
  }
}

/** True also for what is not read here, as a form that holds the file itself. */
function choosesName(body: Buffer): boolean {
  try {
    const [file] = scanObject(body, FILE_MEMBER);
    const [name] = file === undefined ? [] : scanMember(body, file, NAME_MEMBER);
    return name !== undefined && !isNull(body, name) && readString(body, name) !== "";
  } catch {
    return true;
  }
}
