import type { DescService } from "@bufbuild/protobuf";
import type { ServiceClient } from "../api/client.js";
import type { SecretSource } from "./secrets.js";

/** What a subcommand works with; the process's own outside of tests. */
export interface CliPort {
  readonly client: <S extends DescService>(service: S) => ServiceClient<S>;
  readonly secrets: SecretSource;
  readonly write: (text: string) => void;
  readonly writeBytes: (bytes: Uint8Array) => void;
  /** Writes to stderr what is said beside a file on stdout. */
  readonly tell: (text: string) => void;
  /** True when what is written goes to a person's terminal. */
  readonly toTerminal: boolean;
  /** Columns of that terminal; Infinity without one. */
  readonly width: number;
  /** Asks a yes/no question on the terminal; false when there is none to ask. */
  readonly confirm: (question: string) => Promise<boolean>;
  /** Finds the id behind a name in a field of a noun; the text itself when it is one already. */
  readonly resolveId: (noun: string, field: string, text: string) => Promise<string>;
  readonly nowMs: () => number;
  readonly signal: AbortSignal;
}

/** A subcommand as it was typed. */
export interface Invocation {
  readonly positional: readonly string[];
  readonly flags: Readonly<Record<string, unknown>>;
  readonly json: boolean;
  readonly yes: boolean;
  /** `--all`: every page of a list. */
  readonly all: boolean;
  /** `--request`: stdin holds the request as JSON. */
  readonly request: boolean;
}
