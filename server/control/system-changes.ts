import type { MessageInitShape } from "@bufbuild/protobuf";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  Change_Operation,
  type ResourceKind,
  type ChangeSchema,
  type WatchChangesRequest,
  type WatchChangesResponseSchema,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import type { Actor } from "../core/audit.js";
import type { Change } from "../core/change.js";
import type { Clock } from "../core/clock.js";
import { authorize } from "../keys/policy.js";
import type { KeysReader } from "../keys/ports.js";
import type { ChangeHistory } from "./change-history.js";
import { changeSight, type ChangeSight } from "./change-sight.js";
import { HEARTBEAT_MS } from "./heartbeat.js";
import { streamInfoMessage } from "./messages/stream-info.js";
import { int64, numberOf } from "./messages/values.js";
import { wakeOn } from "./wake.js";

const CHANGES_PER_MESSAGE_MAX = 100;

/** The resource of a change as the API shows it, for the `resource` of a message. */
export type ChangeResource = NonNullable<MessageInitShape<typeof ChangeSchema>["resource"]>;

export interface ChangesDeps {
  readonly history: ChangeHistory;
  readonly reader: Pick<KeysReader, "providers" | "models" | "providerKeys" | "clientKeys">;
  readonly clock: Clock;
  readonly nodeId: string;
  /** The resource as it is shown to this actor. Undefined for a setting that no resource of the API shows. */
  readonly resourceOf: (
    change: Change,
    actor: Actor,
  ) => { readonly kind: ResourceKind; readonly resource: ChangeResource } | undefined;
}

type Message = MessageInitShape<typeof WatchChangesResponseSchema>;

/**
 * Changes that the caller may see, as they are committed. Nothing is dropped: a watcher that is too slow has to start
 * again.
 */
export async function* watchChanges(
  deps: ChangesDeps,
  actor: Actor,
  request: WatchChangesRequest,
  signal: AbortSignal,
): AsyncGenerator<Message, void, undefined> {
  authorize(actor, "system.watch_changes");
  const { history, clock } = deps;
  const { subscribe } = history;
  const wake = wakeOn({ subscribe, signal, clock, silenceMs: HEARTBEAT_MS });
  try {
    const asked = numberOf("after_seq", request.afterSeq);
    // Before what the watcher sees is read: what is made meanwhile is told.
    const seq = asked === 0 ? history.lastSeq : asked;
    const sight = await changeSight(deps.reader, actor, request.kinds);
    const watch: Watch = { actor, sight, seq };
    const missed = asked > 0 ? history.after(asked, Infinity) : [];
    const isLost = asked > history.lastSeq || missed?.some((change) => sight.misses(change));
    yield message(deps, StreamInfo_Kind.JOINED, watch.seq);
    if (isLost === true) {
      watch.seq = history.lastSeq;
      yield message(deps, StreamInfo_Kind.RESYNC, watch.seq, { reason: "too_old" });
    }
    for (;;) {
      yield* pending(deps, watch);
      const why = await wake.next();
      if (why === "LEFT") return;
      if (why === "SILENCE") yield message(deps, StreamInfo_Kind.HEARTBEAT, watch.seq);
    }
  } finally {
    wake.stop();
  }
}

/** One watcher, and how far it has come. */
interface Watch {
  readonly actor: Actor;
  readonly sight: ChangeSight;
  seq: number;
}

async function* pending(deps: ChangesDeps, watch: Watch): AsyncGenerator<Message, void, undefined> {
  for (;;) {
    const changes = deps.history.after(watch.seq, CHANGES_PER_MESSAGE_MAX);
    if (changes === undefined) {
      watch.seq = deps.history.lastSeq;
      yield message(deps, StreamInfo_Kind.RESYNC, watch.seq, { reason: "too_slow" });
      continue;
    }
    const last = changes.at(-1);
    if (last === undefined) return;
    watch.seq = last.seq;
    const seen = changes.flatMap((change) => changeMessage(deps, watch, change) ?? []);
    if (seen.length > 0) {
      yield message(deps, StreamInfo_Kind.DATA, watch.seq, { changes: seen });
    }
  }
}

/** Undefined for what the watcher does not see, or did not ask for. */
function changeMessage(
  deps: ChangesDeps,
  { actor, sight }: Watch,
  change: Change,
): MessageInitShape<typeof ChangeSchema> | undefined {
  const seen = sight.of(change);
  if (seen === "HIDDEN") return undefined;
  const { id } = seen;
  const seq = int64(change.seq);
  if (seen.operation === "DELETED") {
    return { seq, kind: seen.kind, id, operation: Change_Operation.DELETED };
  }
  const shown = deps.resourceOf(change, actor);
  if (shown === undefined) return undefined;
  // Which resource a setting belongs to is known only now.
  if (change.kind === "setting" && !sight.wants(shown.kind)) return undefined;
  return { seq, kind: shown.kind, id, operation: Change_Operation.SET, resource: shown.resource };
}

function message(
  deps: ChangesDeps,
  kind: StreamInfo_Kind,
  seq: number,
  {
    reason = "",
    changes = [],
  }: { reason?: string; changes?: MessageInitShape<typeof ChangeSchema>[] } = {},
): Message {
  return {
    stream: streamInfoMessage(deps, kind, { seq, reason }),
    changes,
  };
}
