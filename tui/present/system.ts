import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  Listener_KindSchema,
  RootKeySourceSchema,
  VaultStatus_State,
  VaultStatus_StateSchema,
  Warning_Severity,
  type GetStatusResponse,
  type VaultStatus,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Glyphs, StateKind } from "../term/glyphs.js";
import type { Span } from "../term/painter.js";
import { stateMark } from "../term/theme.js";
import { enumWord } from "./enum-word.js";
import { ago, bytes, count, duration } from "./format.js";

export interface SystemPane {
  readonly title: string;
  readonly lines: readonly (readonly [label: string, value: string | readonly Span[]])[];
}

interface Facts {
  readonly nowMs: number;
  readonly glyphs: Glyphs;
  /** Digest of the API that this program was built with. */
  readonly protoRevision: string;
}

const VAULT_STATES: Readonly<Record<VaultStatus_State, StateKind>> = {
  [VaultStatus_State.UNSPECIFIED]: "pending",
  [VaultStatus_State.UNINITIALISED]: "off",
  [VaultStatus_State.LOCKED]: "warn",
  [VaultStatus_State.UNLOCKED]: "ok",
};

const SEVERITIES: Readonly<Record<Warning_Severity, StateKind>> = {
  [Warning_Severity.UNSPECIFIED]: "pending",
  [Warning_Severity.INFO]: "off",
  [Warning_Severity.WARNING]: "warn",
  [Warning_Severity.CRITICAL]: "fail",
};

/** The state of the server as panes of labels and values; what the caller may not see is left out. */
export function systemPanes(status: GetStatusResponse, facts: Facts): readonly SystemPane[] {
  const panes = [
    serverPane(status, facts),
    vaultPane(status.vault, facts),
    storagePane(status, facts),
    // A server that may be seen whole names itself among its nodes.
    status.nodes.length > 0 ? warningsPane(status, facts) : NOT_SHOWN,
  ];
  return panes.filter(({ lines }) => lines.length > 0);
}

function serverPane(status: GetStatusResponse, { protoRevision }: Facts): SystemPane {
  const { process: own } = status;
  const same = status.protoRevision === protoRevision;
  const listeners = status.listeners.map(({ kind, address, tls }) => {
    return [enumWord(Listener_KindSchema, kind), `${address}${tls ? " (tls)" : ""}`] as const;
  });
  return {
    title: `Server ${status.nodeId}`,
    lines: [
      ["version", `${status.version}${status.demo ? "  DEMO: made-up data" : ""}`],
      [
        "api",
        same ? status.protoRevision : `${status.protoRevision}, this client ${protoRevision}`,
      ],
      ["up", duration(Number(status.uptimeSeconds) * 1000)],
      ...listeners,
      ...(status.dataFolder === "" ? [] : [["data", status.dataFolder] as const]),
      ...(own === undefined
        ? []
        : ([
            ["memory", `${bytes(own.rssBytes)}, heap ${bytes(own.heapUsedBytes)}`],
            ["cpu", `${own.cpuCores.toFixed(2)} cores`],
            [
              "event loop",
              `p50 ${own.eventLoopDelayP50Ms.toFixed(1)}ms  p99 ${own.eventLoopDelayP99Ms.toFixed(1)}ms`,
            ],
            ["in flight", String(own.inFlight)],
            ["node.js", own.nodeJsVersion],
          ] as const)),
      ["registration", status.registrationEnabled ? "open" : "closed"],
      ...status.nodes.slice(1).map((node) => ["node", `${node.id} ${node.version}`] as const),
    ],
  };
}

function vaultPane(vault: VaultStatus | undefined, facts: Facts): SystemPane {
  if (vault === undefined) return { title: "Vault", lines: [] };
  const { glyph, style } = stateMark(VAULT_STATES[vault.state] ?? "pending", facts.glyphs);
  const state: Span[] = [
    { text: `${glyph} ${enumWord(VaultStatus_StateSchema, vault.state)}`, style },
  ];
  const { rotation } = vault;
  return {
    title: "Vault",
    lines: [
      ["state", state],
      ...(vault.rootKeyVersion === 0 ? [] : vaultKeyLines(vault)),
      ...(rotation === undefined
        ? []
        : [["rotation", `${rotation.done}/${rotation.total} ${rotation.message}`] as const]),
    ],
  };
}

/** Which keys there are; a caller who may not see them is told the state alone. */
function vaultKeyLines(vault: VaultStatus): SystemPane["lines"] {
  return [
    ["root key", `${enumWord(RootKeySourceSchema, vault.rootKeySource)} v${vault.rootKeyVersion}`],
    ...vault.vaultKeys.map((key) => {
      const current = key.current ? ", seals new secrets" : "";
      return [`vault key ${key.version}`, `${count(key.sealedCount)} sealed${current}`] as const;
    }),
    ["pepper", `v${vault.pepperVersion}`],
    ["quarantined", String(vault.quarantinedCount)],
    ["unreadable", String(vault.unreadableCount)],
  ];
}

/** The server counts no further, or a large log would be read through for it. */
const CALLS_COUNTED_MAX = 10_000n;

function storedCalls(counted: bigint): string {
  return counted > CALLS_COUNTED_MAX ? `more than ${count(CALLS_COUNTED_MAX)}` : count(counted);
}

function storagePane(status: GetStatusResponse, { nowMs }: Facts): SystemPane {
  const { database, journal, lastBackup } = status;
  return {
    title: "Storage",
    lines: [
      ...(database === undefined
        ? []
        : ([
            ["database", `${database.engine} schema ${database.schemaVersion}`],
            ["size", `${bytes(database.sizeBytes)}, wal ${bytes(database.walBytes)}`],
            ["writable", database.writable ? "yes" : "NO"],
            ["calls", storedCalls(database.callCount)],
          ] as const)),
      ...(journal === undefined
        ? []
        : ([
            ["journal", bytes(journal.sizeBytes)],
            ["lag", `${count(journal.lagCalls)} calls, ${duration(Number(journal.lagMs))}`],
            ["lost", String(journal.lostCalls)],
          ] as const)),
      ...(lastBackup?.createTime === undefined
        ? []
        : [
            [
              "backup",
              `${ago(lastBackup.createTime, nowMs)} ago, ${bytes(lastBackup.sizeBytes)}, ${new Date(timestampMs(lastBackup.createTime)).toISOString().slice(0, 10)}`,
            ] as const,
          ]),
    ],
  };
}

/** What stands in place of storage, process and warnings. */
const NOT_SHOWN: SystemPane = {
  title: "More",
  lines: [
    ["", "Storage, load and warnings of the server are shown to its administrators and operators."],
  ],
};

function warningsPane(status: GetStatusResponse, { glyphs }: Facts): SystemPane {
  const lines = status.warnings.flatMap(({ severity, code, message }) => {
    const { glyph, style } = stateMark(SEVERITIES[severity] ?? "pending", glyphs);
    const head: Span[] = [{ text: `${glyph} ${code}`, style }];
    return [
      ["", head],
      ["", message],
    ] as const;
  });
  return { title: "Warnings", lines: lines.length > 0 ? lines : [["", "none"]] };
}
