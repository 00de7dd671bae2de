import { isDeepStrictEqual } from "node:util";
import type { Actor } from "../core/audit.js";
import type { Logger } from "../core/logger.js";
import { snakeCase } from "./changed-fields.js";
import type { ChangeFeed } from "./change-feed.js";
import type { Operations } from "./operations.js";
import type { Action } from "./policy.js";
import type { KeysReader } from "./ports.js";
import {
  isSettingName,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  type SettingValues,
} from "./settings-table.js";

type SettingPatch = { readonly [K in SettingName]?: SettingValues[K] | undefined };

const DEFAULTS = Object.fromEntries(
  SETTING_NAMES.map((name) => [name, SETTINGS[name].fallback]),
) as SettingValues;

/** The settings, in memory: read by whoever needs one, followed through the change feed. */
export class Settings {
  readonly #operations: Operations;
  readonly #reader: KeysReader;
  readonly #feed: ChangeFeed;
  readonly #log: Logger;
  #values: SettingValues = DEFAULTS;
  #leave: (() => void) | undefined;

  constructor(options: {
    operations: Operations;
    reader: KeysReader;
    feed: ChangeFeed;
    log: Logger;
  }) {
    this.#operations = options.operations;
    this.#reader = options.reader;
    this.#feed = options.feed;
    this.#log = options.log;
  }

  /** What holds now. */
  get values(): SettingValues {
    return this.#values;
  }

  /** Loads what is stored and follows changes. */
  async start(): Promise<void> {
    this.#leave = await this.#feed.join(
      ["setting"],
      async () => {
        for (const [id, text] of await this.#reader.settings.all()) this.#take(id, text);
      },
      ({ id, value }) => {
        if (value !== null) this.#take(id, value.value);
      },
    );
  }

  stop(): void {
    this.#leave?.();
  }

  /** The settings, for somebody who may see them. */
  async get(actor: Actor): Promise<SettingValues> {
    return this.#operations.read(actor, "system.get_settings", async () => this.#values);
  }

  /** Sets what the patch holds. Throws `invalid_argument`; then nothing is changed. */
  async update(actor: Actor, patch: SettingPatch): Promise<SettingValues> {
    return this.#operations.write(actor, "system.update_settings", async (tx) => {
      let next = this.#values;
      const changed: string[] = [];
      for (const name of SETTING_NAMES) {
        const value = patch[name];
        if (value === undefined) continue;
        next = withSetting(next, name, value);
        if (isDeepStrictEqual(next[name], this.#values[name])) continue;
        changed.push(snakeCase(name));
        await tx.settings.put(name, JSON.stringify(next[name]));
      }
      return { value: next, targetId: null, targetName: "settings", changedFields: changed };
    });
  }

  /** Another module's setting as text, e.g. the allocation strategy; undefined if it was never set. */
  async readDocument(id: string): Promise<string | undefined> {
    return this.#reader.settings.get(id);
  }

  /** Stores another module's setting; `value` is JSON text that the module has checked. */
  async putDocument(
    actor: Actor,
    action: Action,
    document: {
      readonly id: string;
      readonly value: string;
      readonly changedFields: readonly string[];
    },
  ): Promise<void> {
    const { id, value, changedFields } = document;
    if (isSettingName(id)) throw new Error(`${id} is a setting of the table`);
    await this.#operations.write(actor, action, async (tx) => {
      await tx.settings.put(id, value);
      return { value: undefined, targetId: id, targetName: id, changedFields };
    });
  }

  #take(id: string, text: string): void {
    if (!isSettingName(id)) return;
    try {
      this.#values = withSetting(this.#values, id, JSON.parse(text));
    } catch (cause) {
      // A value of another version of the server: the default is safer than not starting.
      this.#log.warn(
        { err: cause, setting: id },
        "a stored setting cannot be used; its default holds",
      );
    }
  }
}

function withSetting(values: SettingValues, name: SettingName, value: unknown): SettingValues {
  return { ...values, [name]: SETTINGS[name].check(snakeCase(name), value) };
}
