import assert from "node:assert/strict";
import http2 from "node:http2";
import net from "node:net";
import { once } from "node:events";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials } from "@grpc/grpc-js";
import {
  Health,
  HealthCheckResponse_ServingStatus,
} from "../../proto/gen/grpc/health/v1/health_pb.js";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  type ServerReflectionResponse,
} from "../../proto/gen/grpc/reflection/v1/reflection_pb.js";
import {
  ListClientKeysRequestSchema,
  ListClientKeysResponseSchema,
} from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { createServiceClient } from "../../tui/api/client.js";
import { settle } from "../support/fake-clock.js";
import { startControl } from "./harness.js";
import { refusal } from "./refusal.js";

/** As loose as a script that reads it. */
type Json = any; // oxlint-disable-line typescript/no-explicit-any

const LIST = "/latchkey.v1.ClientKeyService/ListClientKeys";

test("Connect with JSON over HTTP/1.1 needs no tool but fetch", async (t) => {
  const control = await startControl(t);
  const post = async (method: string, body: object, token?: string) => {
    const answer = await fetch(`http://${control.address}/latchkey.v1.${method}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    const answered: Json = JSON.parse(await answer.text());
    return { status: answer.status, headers: answer.headers, body: answered };
  };
  const login = await post("SessionService/Login", {
    username: "alice",
    password: "alice 1234",
  });
  assert.equal(login.status, 200);
  const token = String(login.body["sessionToken"]);
  assert.match(
    login.headers.get("set-cookie") ?? "",
    /^latchkey_session=lks_.*; HttpOnly; SameSite=Strict$/,
  );
  const made = await post("ClientKeyService/CreateClientKey", { name: "ci" }, token);
  assert.equal(made.body.clientKey.name, "ci");
  const masked = { id: made.body.clientKey.id, updateMask: "description", description: "x" };
  const updated = await post("ClientKeyService/UpdateClientKey", masked, token);
  assert.equal(updated.body.clientKey.description, "x");
  const refused = await post("ClientKeyService/CreateClientKey", { name: "" }, token);
  assert.equal(refused.status, 400);
  assert.equal(refused.body.code, "invalid_argument");
  assert.equal(refused.body.details[0].type, "latchkey.v1.ErrorInfo");
  assert.deepEqual(refused.body.details[0].debug.fieldViolations[0].field, "name");
  const anonymous = await post("ClientKeyService/ListClientKeys", {});
  assert.deepEqual([anonymous.status, anonymous.body.code], [401, "unauthenticated"]);
});

test("a browser's cookie is good from this origin alone", async (t) => {
  const control = await startControl(t);
  const cookie = `latchkey_session=${await control.login(control.alice)}`;
  const list = (headers: Record<string, string>) =>
    fetch(`http://${control.address}${LIST}`, {
      method: "POST",
      headers: { "content-type": "application/json", cookie, ...headers },
      body: "{}",
    });
  assert.equal((await list({ origin: `http://${control.address}` })).status, 200);
  assert.equal((await list({ origin: "https://evil.example" })).status, 403);
  assert.equal((await list({})).status, 403);
});

test("a client key is taken from X-Session-API-Key, but never past a bad credential before it", async (t) => {
  const control = await startControl(t);
  const made = await control.clientKeys.create(control.alice, { name: "ci" });
  const secret = made.secret.reveal();
  const list = async (headers: Record<string, string>): Promise<number> => {
    const answer = await fetch(`http://${control.address}${LIST}`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-session-api-key": secret, ...headers },
      body: "{}",
    });
    return answer.status;
  };
  assert.equal(await list({}), 200);
  assert.equal(await list({ authorization: `Bearer ${secret}` }), 200);
  assert.equal(await list({ authorization: "Bearer lks_gone" }), 401);
  assert.equal(await list({ authorization: "Basic YTpi" }), 401);
  assert.equal(await list({ "x-session-api-key": "nonsense" }), 401);
});

test("gRPC-Web answers over HTTP/1.1", async (t) => {
  const control = await startControl(t);
  const message = toBinary(ListClientKeysRequestSchema, create(ListClientKeysRequestSchema));
  const answer = await fetch(`http://${control.address}${LIST}`, {
    method: "POST",
    headers: {
      "content-type": "application/grpc-web+proto",
      "x-grpc-web": "1",
      authorization: `Bearer ${await control.login(control.alice)}`,
    },
    body: Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]),
  });
  assert.equal(answer.status, 200);
  const frames = Buffer.from(await answer.arrayBuffer());
  const length = frames.readUInt32BE(1);
  const body = fromBinary(ListClientKeysResponseSchema, frames.subarray(5, 5 + length));
  assert.deepEqual(body.clientKeys, []);
  assert.match(frames.subarray(5 + length).toString("latin1"), /grpc-status: ?0/i);
});

test("one plain port serves HTTP/1.1 and HTTP/2, and the probes of both", async (t) => {
  const control = await startControl(t);
  const one = await fetch(`http://${control.address}/healthz`);
  assert.deepEqual([one.status, await one.text()], [200, "ok\n"]);
  const session = http2.connect(`http://${control.address}`);
  t.after(() => session.close());
  const stream = session.request({ ":path": "/readyz" });
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  assert.equal(headers[":status"], 200);
  stream.resume();
  Object.assign(control.ready, { ready: false, reasons: ["the vault is locked"] });
  const not = await fetch(`http://${control.address}/readyz`);
  assert.deepEqual([not.status, await not.text()], [503, "the vault is locked\n"]);
  const metrics = await fetch(`http://${control.address}/metrics`);
  assert.equal(await metrics.text(), "up 1\n");
});

test("a connection whose first bytes come in pieces is served all the same", async (t) => {
  const control = await startControl(t);
  const [host = "", port = ""] = control.address.split(":");
  const answerTo = async (pieces: readonly string[]): Promise<Buffer> => {
    const socket = net.connect(Number(port), host);
    t.after(() => socket.destroy());
    await once(socket, "connect");
    socket.setNoDelay(true);
    for (const piece of pieces) {
      socket.write(piece, "latin1");
      // Until the other side has read it, so that the pieces are not joined again.
      await settle();
      await settle();
    }
    const [first] = (await once(socket, "data")) as [Buffer];
    return first;
  };
  const emptySettings = "\0\0\0\u0004\0\0\0\0\0";
  const h2 = await answerTo(["PRI", " * HTTP/2.0\r\n\r\nSM\r\n\r\n", emptySettings]);
  assert.equal(h2[3], 4, "a SETTINGS frame answers the preface");
  const h1 = await answerTo(["P", "UT / HTTP/1.1\r\nhost: x\r\n\r\n"]);
  assert.match(h1.toString("latin1"), /^HTTP\/1\.1 /);
});

test("the standard health service tells the server's and each service's state, also as a stream", async (t) => {
  const control = await startControl(t);
  const channel = new Client(control.address, credentials.createInsecure());
  t.after(() => channel.close());
  const health = createServiceClient(Health, { channel, token: () => undefined, timeoutMs: 5_000 });
  const { SERVING, NOT_SERVING } = HealthCheckResponse_ServingStatus;
  for (const service of ["", "latchkey.v1.ProviderKeyService"]) {
    assert.equal((await health.check({ service })).status, SERVING);
  }
  await refusal("NOT_FOUND", health.check({ service: "latchkey.v1.Nothing" }));
  const watch = health.watch({})[Symbol.asyncIterator]();
  assert.equal((await watch.next()).value?.status, SERVING);
  control.ready.ready = false;
  control.readinessChanged();
  assert.equal((await watch.next()).value?.status, NOT_SERVING);
  await watch.return?.();
});

test("reflection of both versions lists what is served and describes it", async (t) => {
  const control = await startControl(t);
  const channel = new Client(control.address, credentials.createInsecure());
  t.after(() => channel.close());
  for (const version of ["v1", "v1alpha"]) {
    const ask = (question: Parameters<typeof create<typeof ServerReflectionRequestSchema>>[1]) =>
      reflect(channel, version, question);
    const listed = await ask({ messageRequest: { case: "listServices", value: "" } });
    assert(listed.messageResponse.case === "listServicesResponse");
    const names = listed.messageResponse.value.service.map(({ name }) => name);
    assert(names.includes("latchkey.v1.ProviderKeyService"));
    assert(names.includes("grpc.health.v1.Health"));
    assert(!names.includes("latchkey.v1.NothingService"));
    const symbol = "latchkey.v1.ProviderKeyService.CreateProviderKey";
    const file = await ask({ messageRequest: { case: "fileContainingSymbol", value: symbol } });
    assert(file.messageResponse.case === "fileDescriptorResponse");
    const [own, ...imports] = file.messageResponse.value.fileDescriptorProto.map((bytes) =>
      fromBinary(FileDescriptorProtoSchema, bytes),
    );
    assert.equal(own?.name, "latchkey/v1/provider_keys.proto");
    assert(imports.some(({ name }) => name === "google/protobuf/timestamp.proto"));
    for (const inner of ["latchkey.v1.Provider.Service", "latchkey.v1.ProviderKey.Tier"]) {
      const found = await ask({ messageRequest: { case: "fileContainingSymbol", value: inner } });
      assert.equal(found.messageResponse.case, "fileDescriptorResponse", inner);
    }
    const missing = await ask({
      messageRequest: { case: "fileContainingSymbol", value: "latchkey.v1.Nothing" },
    });
    assert(missing.messageResponse.case === "errorResponse");
    assert.equal(missing.messageResponse.value.errorCode, 5);
  }
});

async function reflect(
  channel: Client,
  version: string,
  question: Parameters<typeof create<typeof ServerReflectionRequestSchema>>[1],
): Promise<ServerReflectionResponse> {
  const request = create(ServerReflectionRequestSchema, question);
  const call = channel.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    () => Buffer.from(toBinary(ServerReflectionRequestSchema, request)),
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
  );
  call.write(request);
  const [answer] = (await once(call, "data")) as [ServerReflectionResponse];
  call.end();
  await once(call, "status");
  return answer;
}
