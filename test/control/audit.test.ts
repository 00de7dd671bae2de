import assert from "node:assert/strict";
import { test } from "node:test";
import { AuditEvent_Outcome } from "../../proto/gen/latchkey/v1/audit_pb.js";
import { AuthMethod, StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Strategy } from "../../proto/gen/latchkey/v1/pool_pb.js";
import { ApiError } from "../../tui/api/api-error.js";
import type { Api } from "../../tui/api/services.js";
import { settleWhile } from "../support/fake-clock.js";
import { startControl } from "./harness.js";
import { refusal } from "./refusal.js";

test("the audit log tells who did what, and is filtered by names", async (t) => {
  const control = await startControl(t);
  const [alice, bob, admin] = await Promise.all([
    control.as(control.alice),
    control.as(control.bob),
    control.as(control.root),
  ]);
  const { clientKey } = await alice.clientKeys.createClientKey({ name: "ci" });
  const id = clientKey?.id ?? "";
  await refusal("NOT_FOUND", bob.clientKeys.deleteClientKey({ id }));
  const { events } = await admin.audit.listEvents({ filter: `target=${id}` });
  const [denied, created] = events;
  assert.equal(denied?.action, "client_key.delete");
  assert.equal(denied?.outcome, AuditEvent_Outcome.DENIED);
  assert.equal(denied?.reason, "belongs to another owner");
  assert.equal(created?.actorUsername, "alice");
  assert.equal(created?.via, AuthMethod.SESSION);
  assert.equal(created?.targetKind, "client_key");
  assert.equal(created?.targetName, "ci");
  assert.equal(created?.ipAddress, "127.0.0.1");
  assert.equal(created?.chainHash.length, 32);
  const byName = await admin.audit.listEvents({ filter: "actor=bob outcome=denied" });
  assert.deepEqual(
    byName.events.map((event) => event.seq),
    [denied?.seq],
  );
  // Bob sees his own attempt and nothing of Alice's.
  const own = await bob.audit.listEvents({});
  assert(own.events.every((event) => event.actorUsername === "bob"));
});

test("a change of the allocation is told by the names of the API's fields", async (t) => {
  const control = await startControl(t);
  const admin = await control.as(control.root);
  const providerStrategies = [{ providerId: "prv_openai", strategy: Strategy.SEQUENTIAL }];
  await admin.pool.setAllocation({
    allocation: { providerStrategies, failoverDeadlineMs: 5_000n },
  });
  const { events } = await admin.audit.listEvents({ filter: "action=pool.set_allocation" });
  assert.deepEqual(
    events.map(({ changedFields }) => changedFields),
    [["provider_strategies", "failover_deadline_ms"]],
  );
});

test("a watch joins, sends what it is asked for, then each event once as it is written", async (t) => {
  const control = await startControl(t);
  const [alice, admin] = [await control.as(control.alice), await control.as(control.root)];
  await alice.clientKeys.createClientKey({ name: "before" });
  const watch = watchOf(admin, { filter: "action=client_key.create", backfill: 5 });
  const joined = await watch.next();
  assert.equal(joined?.stream?.kind, StreamInfo_Kind.JOINED);
  assert.equal(joined?.stream?.nodeId, "node-1");
  assert.deepEqual(await watch.names(), ["before"]);
  await alice.clientKeys.createClientKey({ name: "during" });
  assert.deepEqual(await watch.names(), ["during"]);
  await alice.providerKeys.createProviderKey({
    providerId: "prv_openai",
    secret: "sk-not-watched-0123456789",
    name: "not watched",
  });
  await alice.clientKeys.createClientKey({ name: "after" });
  assert.deepEqual(await watch.names(), ["after"]);
  await watch.end();
});

test("a quiet watch sends a heartbeat, and goes on where it was left", async (t) => {
  const control = await startControl(t);
  const [alice, admin] = [await control.as(control.alice), await control.as(control.root)];
  const first = watchOf(admin, {});
  const joined = await first.next();
  const seq = joined?.stream?.seq ?? 0n;
  const beat = first.next();
  await settleWhile(() => control.clock.pending === 0);
  control.clock.advance(5_000);
  assert.equal((await beat)?.stream?.kind, StreamInfo_Kind.HEARTBEAT);
  await first.end();
  await alice.clientKeys.createClientKey({ name: "missed" });
  const second = watchOf(admin, { afterSeq: seq });
  await second.next();
  assert.deepEqual(await second.names(), ["missed"]);
  await second.end();
  const ahead = watchOf(admin, { afterSeq: 1_000_000n });
  await ahead.next();
  const resync = await ahead.next();
  assert.equal(resync?.stream?.kind, StreamInfo_Kind.RESYNC);
  assert.equal(resync?.stream?.reason, "too_old");
  await ahead.end();
});

test("the chain is verified up to its head, and against a hash noted elsewhere", async (t) => {
  const control = await startControl(t);
  const [alice, admin] = [await control.as(control.alice), await control.as(control.root)];
  await refusal("PERMISSION_DENIED", alice.audit.verifyChain({}));
  const whole = await admin.audit.verifyChain({});
  assert.equal(whole.intact, true);
  assert.equal(whole.verifiedEvents, whole.headSeq);
  assert.equal(whole.headHash.length, 32);
  const anchor = { anchorSeq: whole.headSeq, anchorHash: whole.headHash };
  assert.equal((await admin.audit.verifyChain(anchor)).intact, true);
  const moved = await admin.audit.verifyChain({ ...anchor, anchorSeq: whole.headSeq - 1n });
  assert.deepEqual([moved.intact, moved.firstBadSeq], [false, whole.headSeq - 1n]);
  const part = await admin.audit.verifyChain({ fromSeq: 2n, toSeq: 3n });
  assert.deepEqual([part.intact, part.verifiedEvents, part.headSeq], [true, 2n, 3n]);
  await refusal("INVALID_ARGUMENT", admin.audit.verifyChain({ anchorSeq: 1n }));
});

/** Reads a watch message by message. */
function watchOf(api: Api, request: Parameters<Api["audit"]["watchEvents"]>[0]) {
  const abort = new AbortController();
  const messages = api.audit.watchEvents(request, { signal: abort.signal });
  const iterator = messages[Symbol.asyncIterator]();
  const next = async () => (await iterator.next()).value;
  return {
    next,
    names: async (): Promise<string[]> =>
      (await next())?.events.map((event: { targetName: string }) => event.targetName) ?? [],
    end: async (): Promise<void> => {
      abort.abort();
      try {
        await iterator.next();
      } catch (thrown) {
        assert(thrown instanceof ApiError && thrown.code === "CANCELLED");
      }
    },
  };
}
