import { scrypt } from "node:crypto";
import { type Holder, NOBODY } from "../core/client-key.js";
import { FairTurns } from "../core/fair-turns.js";
import { Fault } from "../core/fault.js";
import type { Random } from "../core/random.js";
import type { Secret } from "../core/secret.js";
import { equalBytes, wipe } from "./bytes.js";

/** Cost of one derivation: memory is 128 · r · 2^ln bytes. */
export interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MiB and three passes: OWASP's equal of 2^17 with one, at a quarter of the memory. */
export const PASSWORD_COST: ScryptCost = { ln: 15, r: 8, p: 3 };

/**
 * Each derivation holds one thread of four, 32 MiB and a processor. So one runs for people who have signed in, and one for
 * strangers.
 */
const RUNNING_MAX = 1;
/** For each of the two. */
const WAITING_MAX = 64;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A longer text is no password; it costs the same time and never fits. */
const PASSWORD_BYTES_MAX = 1024;
/** Stored costs above this are not ours, and would be a way to exhaust memory. */
const COST_MAX: ScryptCost = { ln: 17, r: 8, p: 8 };

const PHC =
  /^\$scrypt\$ln=(?<ln>\d{1,2}),r=(?<r>\d{1,2}),p=(?<p>\d{1,2})\$(?<salt>[A-Za-z0-9+/]{22})\$(?<hash>[A-Za-z0-9+/]{43})$/;

/** Of an unknown user or one without a password it is null. A function is asked when the check's turn has come. */
export type StoredPassword = string | null | (() => Promise<string | null>);

interface Waiting {
  readonly begin: () => void;
  readonly refuse: (fault: Fault) => void;
}

/** Who asks. */
export interface PasswordAsker {
  readonly holder: Holder;
  readonly isStranger: boolean;
}

const NOBODYS: PasswordAsker = { holder: NOBODY, isStranger: false };

/** Those who wait for the same place. */
class Queue {
  readonly #waiting = new FairTurns<Waiting>();
  #running = 0;

  /** Throws Fault `overloaded` when too many wait. Call `leave` at the end. */
  async enter(holder: Holder): Promise<void> {
    if (this.#running < RUNNING_MAX) {
      this.#running++;
      return;
    }
    if (this.#waiting.size >= WAITING_MAX) {
      const crowded = this.#waiting.giveWay(holder);
      if (crowded === undefined) throw tooMany();
      crowded.refuse(tooMany());
    }
    // A place that gets free is handed to the next in turn, so that no newcomer can take it.
    await new Promise<void>((begin, refuse) => {
      this.#waiting.add(holder, { begin, refuse });
    });
  }

  leave(): void {
    const next = this.#waiting.next();
    if (next === undefined) this.#running--;
    else next.begin();
  }
}

interface Verifier {
  readonly cost: ScryptCost;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

export interface PasswordCheck {
  readonly ok: boolean;
  /** True when the password fits and its hash should be made anew at today's cost. */
  readonly rehash: boolean;
}

export interface PasswordHasherOptions {
  readonly random: Random;
  /** For tests; `PASSWORD_COST` otherwise. */
  readonly cost?: ScryptCost;
}

/** Hashes and checks the passwords of users, those of strangers apart from the others; those who ask take turns. */
export class PasswordHasher {
  readonly #random: Random;
  readonly #cost: ScryptCost;
  readonly #dummy: Verifier;
  readonly #known = new Queue();
  readonly #strangers = new Queue();

  constructor(options: PasswordHasherOptions) {
    this.#random = options.random;
    this.#cost = options.cost ?? PASSWORD_COST;
    this.#dummy = {
      cost: this.#cost,
      salt: options.random.bytes(SALT_BYTES),
      hash: options.random.bytes(HASH_BYTES),
    };
  }

  /**
   * `$scrypt$ln=15,r=8,p=3$salt$hash`. Throws Fault `overloaded` when too many wait,
   * `invalid_argument` beyond 1024 bytes.
   */
  async hash(password: Secret, asker = NOBODYS): Promise<string> {
    const bytes = normalised(password);
    if (bytes.length > PASSWORD_BYTES_MAX) {
      throw new Fault(
        "invalid_argument",
        `The password must not be longer than ${PASSWORD_BYTES_MAX} bytes.`,
      );
    }
    const salt = this.#random.bytes(SALT_BYTES);
    const hash = await this.#inTurn(asker, () => derive(bytes, salt, this.#cost));
    wipe(bytes);
    const { ln, r, p } = this.#cost;
    return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`;
  }

  /**
   * Checks a password in constant time; where there is none, the work is the same, so that the time does not tell.
   * Throws Fault `overloaded` when too many wait.
   */
  verify(password: Secret, stored: StoredPassword, asker = NOBODYS): Promise<PasswordCheck> {
    return this.#inTurn(asker, async () => {
      const text = typeof stored === "function" ? await stored() : stored;
      const known = text === null ? undefined : parse(text);
      const verifier = known ?? this.#dummy;
      const whole = normalised(password);
      const bytes = whole.subarray(0, PASSWORD_BYTES_MAX);
      const hash = await derive(bytes, verifier.salt, verifier.cost);
      const fits = equalBytes(hash, verifier.hash);
      const ok = fits && known !== undefined && whole.length <= PASSWORD_BYTES_MAX;
      wipe(whole);
      return { ok, rehash: ok && !sameCost(verifier.cost, this.#cost) };
    });
  }

  async #inTurn<T>({ holder, isStranger }: PasswordAsker, work: () => Promise<T>): Promise<T> {
    const queue = isStranger ? this.#strangers : this.#known;
    await queue.enter(holder);
    try {
      return await work();
    } finally {
      queue.leave();
    }
  }
}

function tooMany(): Fault {
  return new Fault("overloaded", "Too many people are signing in; try again in a moment.", {
    retryAfterSeconds: 5,
  });
}

/** The same password typed on different keyboards must be the same bytes. */
function normalised(password: Secret): Uint8Array {
  return Buffer.from(password.reveal().normalize("NFKC"), "utf8");
}

function derive(password: Uint8Array, salt: Uint8Array, cost: ScryptCost): Promise<Uint8Array> {
  const options = { N: 2 ** cost.ln, r: cost.r, p: cost.p, maxmem: 256 * 1024 * 1024 };
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, options, (error, hash) => {
      if (error === null) resolve(hash);
      else reject(error);
    });
  });
}

/** Undefined for what is not a hash of ours. */
function parse(stored: string): Verifier | undefined {
  const groups = PHC.exec(stored)?.groups;
  if (groups === undefined) return undefined;
  const cost = { ln: Number(groups["ln"]), r: Number(groups["r"]), p: Number(groups["p"]) };
  const within = cost.ln <= COST_MAX.ln && cost.r <= COST_MAX.r && cost.p <= COST_MAX.p;
  if (!within || cost.ln < 1 || cost.r < 1 || cost.p < 1) return undefined;
  return {
    cost,
    salt: Buffer.from(groups["salt"] ?? "", "base64"),
    hash: Buffer.from(groups["hash"] ?? "", "base64"),
  };
}

function sameCost(one: ScryptCost, other: ScryptCost): boolean {
  return one.ln === other.ln && one.r === other.r && one.p === other.p;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64").replaceAll("=", "");
}
