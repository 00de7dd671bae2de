import { AuthMethod } from "../../proto/gen/latchkey/v1/common_pb.js";
import { User_Role } from "../../proto/gen/latchkey/v1/users_pb.js";
import type { WhoAmIResponse } from "../../proto/gen/latchkey/v1/sessions_pb.js";
import { toApiError, type ApiError } from "../api/api-error.js";
import type { Api } from "../api/services.js";
import type { Viewer } from "../screens/view.js";
import type { StateClock } from "../state/clock.js";

const PING_MS = 5000;
const PING_TIMEOUT_MS = 5000;

const ROLES: Readonly<Record<User_Role, string>> = {
  [User_Role.UNSPECIFIED]: "?",
  [User_Role.ADMIN]: "admin",
  [User_Role.OPERATOR]: "operator",
  [User_Role.USER]: "user",
};

export interface SessionOptions {
  readonly api: Api;
  readonly clock: StateClock;
  readonly onChange: () => void;
  /** The server does not know us, or not any more: the user must sign in. */
  readonly onSignedOut: () => void;
  /** It has said who we are, for the first time or after a new sign-in. */
  readonly onSignedIn: () => void;
}

/** Who is signed in and what they may do; asking for it anew is also the ping of the status line. */
export class Session {
  readonly #options: SessionOptions;
  readonly #missing = new Set<string>();
  #answer: WhoAmIResponse | undefined;
  #allowed: ReadonlySet<string> = new Set();
  #rttMs: number | undefined;
  #error: ApiError | undefined;
  #timer: { cancel(): void } | undefined;
  #running: AbortController | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  get viewer(): Viewer | undefined {
    const user = this.#answer?.user;
    if (user === undefined) return undefined;
    return {
      id: user.id,
      username: user.username,
      role: ROLES[user.role] ?? String(user.role),
      hasPassword: this.#answer?.session?.authMethod === AuthMethod.SESSION,
    };
  }

  /** Round trip of the last ping in milliseconds; undefined when it failed. */
  get rttMs(): number | undefined {
    return this.#rttMs;
  }

  /** Why the last ping failed. */
  get error(): ApiError | undefined {
    return this.#error;
  }

  may(action: string): boolean {
    return this.#allowed.has(action) && !this.#missing.has(action);
  }

  /** The server answered UNIMPLEMENTED to it. */
  missing(action: string): void {
    this.#missing.add(action);
    this.#options.onChange();
  }

  /** Asks now and then every few seconds. */
  start(): void {
    this.stop();
    void this.#ping();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#running?.abort();
    this.#running = undefined;
  }

  /** Forgets who was signed in, e.g. before another user signs in. */
  forget(): void {
    this.#answer = undefined;
    this.#allowed = new Set();
    this.#missing.clear();
  }

  async #ping(): Promise<void> {
    const { api, clock } = this.#options;
    const running = new AbortController();
    this.#running = running;
    const begun = clock.monotonic();
    try {
      const settings = { signal: running.signal, timeoutMs: PING_TIMEOUT_MS };
      const answer = await api.sessions.whoAmI({}, settings);
      if (running.signal.aborted) return;
      this.#rttMs = clock.monotonic() - begun;
      this.#error = undefined;
      this.#take(answer);
    } catch (thrown) {
      if (running.signal.aborted) return;
      this.#rttMs = undefined;
      this.#error = toApiError(thrown);
      if (this.#error.code === "UNAUTHENTICATED") this.#options.onSignedOut();
    }
    this.#timer = clock.setTimer(() => void this.#ping(), PING_MS);
    this.#options.onChange();
  }

  #take(answer: WhoAmIResponse): void {
    const before = this.#answer?.user?.id;
    this.#answer = answer;
    this.#allowed = new Set(answer.permissions.map((permission) => permission.action));
    if (before !== answer.user?.id) this.#options.onSignedIn();
  }
}
