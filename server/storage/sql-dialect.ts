/**
 * The SQL in which the databases differ, in one place. Everything else in this folder is either built by
 * knex or plain SQL that SQLite and PostgreSQL read alike.
 */
export interface SqlDialect {
  /** A 64-bit integer column; counters, money and times all fit a JavaScript number. */
  readonly integer: string;
  readonly text: string;
  readonly bytes: string;
  /** JSON in the form in which the database keeps it best. */
  readonly json: string;
  /** A primary key that the database counts up and never gives out twice. */
  readonly rowNumber: string;
  /** Follows the closing parenthesis of CREATE TABLE. */
  readonly tableEnd: string;
  /** As `tableEnd`, for a table that is stored in the order of its primary key. */
  readonly clusteredTableEnd: string;
  /** Makes a started transaction the only writing one from its first statement on. */
  readonly begin: string;
  /** Names of everything in the schema, as `name`. */
  readonly schemaNames: string;
  /** How many rows the statement just before changed on this connection, as `rows`. */
  readonly changedRows: string;
  /** Marks the file as a database of Latchkey. */
  readonly markFile: string;
  /** Statements that let audit events be neither changed nor deleted; filling in a missing MAC is allowed. */
  readonly protectAudit: readonly string[];
  /** A query whose rows are the texts of a JSON array, its one parameter. */
  readonly eachText: string;
  /** A query whose rows are the arrays of a JSON array, its one parameter; bytes are in hex. */
  eachRow(columns: readonly string[], bytes: ReadonlySet<string>): string;
  /**
   * Inserts the rows of a JSON array of arrays, its one parameter as text or as the text's bytes, in one statement:
   * by far the cheapest way in. The last column may be JSON itself. An ON CONFLICT clause may follow.
   */
  insertJson(table: string, columns: readonly string[], lastIsJson?: boolean): string;
  /**
   * All rows of a query as one JSON array of arrays in `json`. Where there are
   * a million rows this costs a fraction of what the driver needs to make an object of each.
   */
  rowsAsJson(query: string, columns: readonly string[]): string;
  /** A JSON column as text. */
  jsonOut(column: string): string;
  /** An element of a JSON array in a column, as text or as a number. */
  jsonText(column: string, index: number): string;
  jsonInteger(column: string, index: number): string;
  /** How many elements an array within a JSON array has. */
  jsonLength(column: string, index: number): string;
  /** A table in FROM that is to be read through this index, where the database may be told so. */
  byIndex(table: string, index: string): string;
  /** Case-insensitive pattern match with `\` as escape; its one parameter is the pattern. */
  like(expression: string): string;
  /** How it is found that something contains a text, in any case of any script. */
  containing(text: string): Containing;
}

/** The condition on an expression; its one parameter is the pattern. */
export type Matching = (expression: string) => string;

export interface Containing {
  readonly matching: Matching;
  readonly pattern: string;
}

const AUDIT_COLUMNS = [
  "seq",
  "at",
  "actor_user_id",
  "actor_name",
  "actor_role",
  "actor_via",
  "ip",
  "action",
  "target_id",
  "target_name",
  "changed_fields",
  "outcome",
  "note",
  "hash",
];

export const SQLITE: SqlDialect = {
  integer: "INTEGER",
  text: "TEXT",
  bytes: "BLOB",
  json: "BLOB",
  rowNumber: "INTEGER PRIMARY KEY AUTOINCREMENT",
  tableEnd: " STRICT",
  clusteredTableEnd: " STRICT, WITHOUT ROWID",
  begin: "BEGIN IMMEDIATE",
  schemaNames: "SELECT name FROM sqlite_schema",
  changedRows: "SELECT changes() AS rows",
  // The number is `LKEY` in ASCII.
  markFile: "PRAGMA application_id = 0x4c4b4559",
  protectAudit: [
    `CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events
     BEGIN SELECT RAISE(ABORT, 'audit events cannot be deleted'); END`,
    `CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events
     WHEN NOT (OLD.mac IS NULL AND NEW.mac IS NOT NULL
       AND ${AUDIT_COLUMNS.map((column) => `NEW.${column} IS OLD.${column}`).join(" AND ")})
     BEGIN SELECT RAISE(ABORT, 'audit events cannot be changed'); END`,
    `CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
     BEGIN SELECT RAISE(ABORT, 'the end of the audit chain cannot be deleted'); END`,
  ],
  eachText: "SELECT value FROM json_each(?)",
  eachRow: (columns, bytes) => {
    const values = columns.map((column, index) => {
      const value = `value->>${index}`;
      return `${bytes.has(column) ? `unhex(${value})` : value} AS ${column}`;
    });
    return `SELECT ${values.join(", ")} FROM jsonb_each(?)`;
  },
  // jsonb_each hands on each row in SQLite's binary form, which ->> reads without parsing text once more.
  insertJson: (table, columns, lastIsJson = false) => {
    const values = columns.map((_, index) =>
      lastIsJson && index === columns.length - 1
        ? `jsonb_extract(value, '$[${index}]')`
        : `value->>${index}`,
    );
    return `INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values.join(", ")} FROM jsonb_each(CAST(? AS TEXT)) WHERE true`;
  },
  rowsAsJson: (query, columns) =>
    `SELECT json_group_array(json_array(${columns.join(", ")})) AS json FROM (${query})`,
  jsonOut: (column) => `json(${column})`,
  jsonText: (column, index) => `(${column}->>${index})`,
  jsonInteger: (column, index) => `(${column}->>${index})`,
  jsonLength: (column, index) => `json_array_length(${column}, '$[${index}]')`,
  byIndex: (table, index) => `${table} INDEXED BY ${index}`,
  like,
  // LIKE knows the cases of ASCII alone. GLOB can be told each letter's, and takes several times as long.
  containing: (text) =>
    HAS_FOREIGN_CASES.test(text)
      ? { matching: (expression) => `${expression} GLOB ?`, pattern: `*${globOf(text)}*` }
      : { matching: like, pattern: `%${escapeLike(text)}%` },
};

function like(expression: string): string {
  return `${expression} LIKE ? ESCAPE '\\'`;
}

/** A letter outside ASCII that has cases. */
const HAS_FOREIGN_CASES = /(?=[^ -~])[\p{Lu}\p{Ll}]/u;

function globOf(text: string): string {
  return Array.from(text, (char) => {
    if (/[*?[]/.test(char)) return `[${char}]`;
    const cases = new Set([char, char.toLowerCase(), char.toUpperCase()]);
    // What takes two letters in the other case is no class of single ones.
    const single = [...cases].filter((each) => Array.from(each).length === 1);
    return single.length > 1 ? `[${single.join("")}]` : char;
  }).join("");
}

/** Takes away the meaning that `%`, `_` and the escape itself have in a pattern. */
export function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (char) => `\\${char}`);
}

/** Runs on every new connection of SQLite. */
export function sqlitePragmas(options: {
  readOnly: boolean;
  busyTimeoutMs: number;
}): readonly string[] {
  return [
    `PRAGMA busy_timeout = ${options.busyTimeoutMs}`,
    "PRAGMA foreign_keys = ON",
    // A commit is on the disk before it is acknowledged; in WAL mode NORMAL would lose the last ones in a power cut.
    "PRAGMA synchronous = FULL",
    `PRAGMA cache_size = -${options.readOnly ? READ_CACHE_KIB : WRITE_CACHE_KIB}`,
    "PRAGMA temp_store = MEMORY",
    // After a long reader has let the WAL grow, give the space back.
    `PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`,
    // Checkpoints run beside the writer (see checkpointer.ts); this is for when they cannot keep up.
    `PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`,
    options.readOnly ? "PRAGMA query_only = ON" : "PRAGMA recursive_triggers = ON",
  ];
}

/** Page cache of one connection; there are several that read, and the system keeps the file's pages too. */
const READ_CACHE_KIB = 4_096;
const WRITE_CACHE_KIB = 16_384;
/** 128 MiB of WAL at 4 KiB a page. */
const CHECKPOINT_PAGES = 32_000;
const WAL_KEPT_BYTES = 64 * 1024 * 1024;
