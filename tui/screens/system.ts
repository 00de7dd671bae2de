import {
  RootKeySource,
  VaultStatus_State,
  type GetStatusResponse,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { PROTO_REVISION } from "../../proto/gen/revision.js";
import { systemPanes, type SystemPane } from "../present/system.js";
import { Polled } from "../state/polled.js";
import { Keymap, type Binding } from "../term/keymap.js";
import type { Painter } from "../term/painter.js";
import { splitColumns, splitRows } from "../term/rect.js";
import { confirm } from "../widgets/confirm.js";
import { paintPane } from "../widgets/pane.js";
import { paintTableState } from "../widgets/table-state.js";
import { asking, perform, writing } from "./actions.js";
import { paintDetails, type Detail } from "./details.js";
import { openForm } from "./form-modal.js";
import { FullDetail } from "./full-detail.js";
import { openServerLog } from "./server-log.js";
import { openSettingsForm } from "./settings-form.js";
import { openSettings } from "./settings-text.js";
import { openBackup, openVaultRotation } from "./system-work.js";
import type { View, ViewContext } from "./view.js";

const REFRESH_MS = 2000;
const WIDE_COLUMNS_MIN = 100;
const GROUP = "SYSTEM";

/** Screen 9: the server itself and its vault. */
export class SystemView implements View {
  readonly id = "system";
  readonly title = "System";
  readonly short = "Syst";
  readonly filter = undefined;
  readonly #ownKeys: Keymap;
  readonly #openKeys: Keymap;
  readonly #full = new FullDetail();
  readonly #context: ViewContext;
  readonly #status: Polled<GetStatusResponse>;

  constructor(context: ViewContext) {
    this.#context = context;
    this.#status = new Polled({
      fetch: (signal) => context.api.system.getStatus({}, { signal }),
      clock: context.clock,
      onChange: context.requestFrame,
      refreshMs: REFRESH_MS,
      paused: () => context.overview.paused,
    });
    this.#ownKeys = new Keymap(this.#bindings());
    this.#openKeys = new Keymap([
      {
        keys: ["enter"],
        action: "system.open",
        description: "show all of it, where the panes have no room",
        group: GROUP,
        hint: "all of it",
        run: () => this.#full.open(),
      },
    ]);
  }

  get keymaps(): readonly Keymap[] {
    return [this.#ownKeys, this.#full.isOpen ? this.#full.keymap : this.#openKeys];
  }

  open(): void {
    this.#status.open();
  }

  close(): void {
    this.#full.close();
    this.#status.close();
  }

  back(): boolean {
    return this.#full.close();
  }

  refresh(): void {
    this.#status.refresh();
  }

  paint(painter: Painter): void {
    const { value, error } = this.#status;
    if (value === undefined) {
      const state =
        error === undefined
          ? ({ kind: "loading" } as const)
          : ({ kind: "error", message: error.message } as const);
      paintTableState(painter, state, 0, "");
      return;
    }
    const panes = systemPanes(value, {
      nowMs: this.#context.clock.now(),
      glyphs: painter.glyphs,
      protoRevision: PROTO_REVISION,
    });
    if (this.#full.isOpen) this.#full.paint(painter, this.title, allOf(panes));
    else paintPanes(painter, panes);
    if (error !== undefined) painter.tint(painter.area, "stale");
  }

  #bindings(): readonly Binding[] {
    return [...this.#vaultBindings(), ...this.#serverBindings()];
  }

  #vaultBindings(): readonly Binding[] {
    const context = this.#context;
    return [
      writing(
        context,
        "system.unlock",
        {
          keys: ["u"],
          action: "system.unlock",
          description: "unlock the vault, with its passphrase if it has one",
          group: GROUP,
          hint: "unlock",
          priority: 5,
          run: () => this.#unlock(),
        },
        () => (this.#state === VaultStatus_State.UNLOCKED ? "the vault is unlocked" : undefined),
      ),
      writing(
        context,
        "system.lock",
        {
          keys: ["L"],
          action: "system.lock",
          description: "lock the vault: calls are refused until it is unlocked",
          group: GROUP,
          hint: "lock",
          priority: 4,
          run: () => this.#lock(),
        },
        () => (this.#state === VaultStatus_State.LOCKED ? "the vault is locked" : undefined),
      ),
    ];
  }

  #serverBindings(): readonly Binding[] {
    const context = this.#context;
    return [
      writing(context, "system.backup", {
        keys: ["B"],
        action: "system.backup",
        description: "write a backup into the data folder",
        group: GROUP,
        hint: "backup",
        priority: 3,
        run: () => openBackup(context, () => this.refresh()),
      }),
      writing(context, "system.rotate_vault_key", {
        keys: ["R"],
        action: "system.rotate-vault-key",
        description: "seal every secret anew with a fresh vault key (type rotate)",
        group: GROUP,
        hint: "rotate vault key",
        priority: 2,
        run: () => openVaultRotation(context, () => this.refresh()),
      }),
      asking(context, "system.tail_log", {
        keys: ["l"],
        action: "system.log",
        description: "follow the server's log",
        group: GROUP,
        hint: "log",
        priority: 3,
        run: () => openServerLog(context),
      }),
      asking(context, "system.get_settings", {
        keys: ["s"],
        action: "system.settings",
        description: "show the settings and the configuration",
        group: GROUP,
        hint: "settings",
        priority: 3,
        run: () => openSettings(context),
      }),
      writing(context, "system.update_settings", {
        keys: ["e"],
        action: "system.edit-settings",
        description: "change settings",
        group: GROUP,
        hint: "edit settings",
        priority: 2,
        run: () => openSettingsForm(context, () => this.refresh()),
      }),
    ];
  }

  get #state(): VaultStatus_State | undefined {
    return this.#status.value?.vault?.state;
  }

  /** Only a passphrase has to be asked for; any other root key is where the server finds it. */
  #unlock(): void {
    const source = this.#status.value?.vault?.rootKeySource ?? RootKeySource.UNSPECIFIED;
    const isAsked = source === RootKeySource.PASSPHRASE || source === RootKeySource.UNSPECIFIED;
    const done = "the vault is unlocked";
    const unlock = (passphrase: string): Promise<unknown> =>
      this.#context.api.system.unlock({ passphrase });
    const permission = "system.unlock";
    if (!isAsked) {
      const work = (): Promise<unknown> => unlock("");
      perform(this.#context, { permission, work, done, refresh: () => this.refresh() });
      return;
    }
    openForm(this.#context, {
      title: "Unlock the vault",
      permission,
      fields: [{ kind: "masked", name: "passphrase", label: "Passphrase", required: true }],
      submitLabel: "Unlock",
      submit: async ({ passphrase = "" }) => {
        await unlock(passphrase);
        this.#context.toast({ text: done, tone: "ok" });
        this.refresh();
      },
    });
  }

  #lock(): void {
    confirm(this.#context.modals, {
      title: "Lock the vault?",
      text: [
        "Keys leave the memory. Every call is answered 503 vault_locked until somebody unlocks it.",
      ],
      action: "Lock",
      onConfirm: () =>
        perform(this.#context, {
          permission: "system.lock",
          work: () => this.#context.api.system.lock({}),
          done: "the vault is locked",
          refresh: () => this.refresh(),
        }),
    });
  }
}

function allOf(panes: readonly SystemPane[]): readonly Detail[] {
  return panes.flatMap(({ title, lines }, i): Detail[] => [
    ...(i === 0 ? [] : [["", ""] as const]),
    [title.toUpperCase(), ""],
    ...lines,
  ]);
}

/** Each pane gets rows by what it has to say; one that has too few names the key that shows the rest. */
function paintPanes(painter: Painter, panes: readonly SystemPane[]): void {
  const perRow = painter.width >= WIDE_COLUMNS_MIN ? 2 : 1;
  const sizes = Array.from({ length: Math.ceil(panes.length / perRow) }, (_, row) => {
    const beside = panes.slice(row * perRow, (row + 1) * perRow);
    return { share: Math.max(...beside.map(({ lines }) => lines.length)), min: 3 };
  });
  const areas = splitRows(painter.area, sizes).flatMap((row) =>
    perRow === 1 ? [row] : splitColumns(row, [{ share: 1 }, { share: 1 }]),
  );
  panes.forEach(({ title, lines }, i) => {
    const area = areas[i];
    if (area === undefined) return;
    const pane = painter.within(area);
    const rows = paintDetails(paintPane(pane, { title }), lines);
    if (rows > area.height - 2) paintPane(pane, { title, bottom: "enter: all of it" });
  });
}
