import { Fault } from "../core/fault.js";

/** What the database driver throws, as far as we look at it. */
interface DriverError {
  readonly code: string;
  readonly message: string;
}

/**
 * The driver's error for the log. The original is not kept: knex puts the SQL text in front of its
 * message, and its other fields may hold bound values.
 */
class DatabaseError extends Error {
  override readonly name = "DatabaseError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** What is unique, by the column or index that the database names when it is violated. */
const UNIQUE: Readonly<Record<string, readonly [field: string, message: string]>> = {
  users_username_key: ["username", "another user has this name; choose another one"],
  users_email_key: ["email", "another user has this address; choose another one"],
  "providers.slug": ["slug", "another provider has this short name; choose another one"],
  "models.provider_id, models.model_id": ["model_id", "this provider already has this model"],
  "provider_keys.fingerprint": ["secret", "this secret is already stored"],
  "provider_keys.owner_id, provider_keys.name": [
    "name",
    "this owner already has a provider key of this name; choose another one",
  ],
  "client_keys.mac": ["secret", "this client key already exists"],
  "client_keys.owner_id": ["kind", "this user already has a BYOR key; refresh it instead"],
  "sessions.token_hash": ["token", "this session already exists"],
};

/** One sentence of cause and remedy for each way in which the database can be out of order. */
const UNAVAILABLE: Readonly<Record<string, string>> = {
  SQLITE_BUSY:
    "The database is locked by another program; stop that program, then try again (nothing was changed).",
  SQLITE_LOCKED:
    "The database is locked by another program; stop that program, then try again (nothing was changed).",
  SQLITE_FULL:
    "The disk that holds the data folder is full; free some space, then try again (nothing was changed).",
  SQLITE_READONLY:
    "The database cannot be written; make the data folder writable for the user that runs Latchkey, then try again.",
  SQLITE_PERM:
    "The database cannot be opened; give the user that runs Latchkey access to the data folder.",
  SQLITE_CANTOPEN:
    "The database cannot be opened; check that the data folder is there and writable for the user that runs Latchkey.",
  SQLITE_IOERR:
    "The disk reported an error while the database was used; check the disk and its space, then try again.",
  SQLITE_NOMEM: "There is not enough memory for the database; free some memory, then try again.",
};

const CORRUPT = new Set(["SQLITE_CORRUPT", "SQLITE_NOTADB"]);

/** When it makes sense to ask again after the database was not available. */
const RETRY_AFTER_SECONDS = 5;

/** Turns what the driver threw into a Fault; other things come back as they are. */
export function storageFault(thrown: unknown, dataFile: string): unknown {
  const error = driverError(thrown);
  if (error === undefined) return thrown;
  const cause = new DatabaseError(error.code, error.message);
  if (CORRUPT.has(error.code)) return corruptFault(dataFile, cause);
  const unavailable = UNAVAILABLE[error.code];
  if (unavailable !== undefined) {
    return new Fault("storage_unavailable", unavailable, {
      cause,
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }
  if (error.code === "SQLITE_CONSTRAINT") return constraintFault(error.message, cause);
  return cause;
}

/** The database is damaged: says how to restore it; it is never made anew by itself. */
export function corruptFault(dataFile: string, cause?: unknown): Fault {
  return new Fault(
    "database_corrupt",
    `The database ${dataFile} is damaged or is not a database; put your latest backup back: one that ` +
      "`latchkey vault backup` made with `npm start -- restore <backup>`, a copy of the folder in place of the folder.",
    cause === undefined ? {} : { cause },
  );
}

/** True when the fault says that the file itself is damaged. */
export function isCorrupt(thrown: unknown): boolean {
  return thrown instanceof Fault && thrown.code === "database_corrupt";
}

function constraintFault(message: string, cause: DatabaseError): unknown {
  const unique = /UNIQUE constraint failed: (?:index ')?([^']+)/.exec(message)?.[1];
  if (unique !== undefined) {
    const [field, text] = UNIQUE[unique] ?? ["id", "this record already exists"];
    return new Fault("already_exists", `${field}: ${text}`, {
      cause,
      violations: [{ field, message: text }],
    });
  }
  if (message.includes("FOREIGN KEY constraint failed")) {
    return new Fault(
      "failed_precondition",
      "The record belongs to one that does not exist, or others still belong to it; remove those first.",
      { cause },
    );
  }
  return cause;
}

function driverError(thrown: unknown): DriverError | undefined {
  if (!(thrown instanceof Error) || thrown instanceof Fault) return undefined;
  if (!("code" in thrown) || typeof thrown.code !== "string") return undefined;
  if (!thrown.code.startsWith("SQLITE_")) return undefined;
  // knex writes `<SQL> - <driver's message>`; the driver's message starts with the code.
  const start = thrown.message.lastIndexOf(`${thrown.code}: `);
  return { code: thrown.code, message: start < 0 ? thrown.code : thrown.message.slice(start) };
}
