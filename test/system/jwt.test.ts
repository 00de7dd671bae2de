import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { before, test, type TestContext } from "node:test";
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from "jose";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { ApiError } from "../../tui/api/api-error.js";
import { openChannel } from "../../tui/api/channel.js";
import { createApi, type Api } from "../../tui/api/services.js";
import { dataFolder } from "./fixture.js";
import { serveInside } from "./inside.js";

const AUDIENCE = "latchkey";
type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

let first: Pair;
let second: Pair;
let elliptic: Pair;

before(async () => {
  first = await generateKeyPair("RS256");
  second = await generateKeyPair("RS256");
  elliptic = await generateKeyPair("ES256");
});

test("a token of the configured issuer signs in as the account that it names, with that account's role", async (t) => {
  const { api, token, issuer } = await started(t);
  const who = await api(await token()).sessions.whoAmI({});
  assert.equal(who.user?.username, "alice");
  const signed = await token({ alg: "ES256", pair: elliptic, kid: "ec" });
  assert.equal((await api(signed).sessions.whoAmI({})).user?.username, "alice");
  await refused(api(await token()).users.listUsers({}), /user\.list/);
  assert.ok(issuer.asked.filter((path) => path === "/keys").length <= 2, "the keys are cached");
});

test("a key that the issuer has added since is found without a restart", async (t) => {
  const { api, token, issuer } = await started(t);
  await api(await token()).sessions.whoAmI({});
  await issuer.publish([["new", second]]);
  const signed = await token({ pair: second, kid: "new" });
  assert.equal((await api(signed).sessions.whoAmI({})).user?.username, "alice");
});

test("a token is refused in a sentence for whatever is wrong with it", async (t) => {
  const { api, token } = await started(t);
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "", aud: AUDIENCE, sub: "1", email: "alice@example.test" };
  const none = new UnsecuredJWT({ ...claims, exp: now + 60 }).encode();
  const shared = await new SignJWT({ ...claims, email_verified: true })
    .setProtectedHeader({ alg: "HS256", kid: "rsa" })
    .setExpirationTime("1h")
    .sign(new TextEncoder().encode("a shared secret of thirty-two chars"));
  const cases: [string, RegExp][] = [
    [none, /JWTs|cannot be read|Bearer|client key|API key/i],
    [shared, /not signed with one of RS256, ES256, EdDSA/],
    [await token({ claims: { iss: "https://evil.example" } }), /was not issued by/],
    [await token({ claims: { aud: "another" } }), /is not for latchkey/],
    [await token({ claims: { exp: now - 120 } }), /has expired/],
    [await token({ claims: { nbf: now + 600 } }), /is not valid yet/],
    [await token({ claims: { exp: undefined } }), /lacks a claim: exp/],
    [await token({ claims: { email_verified: false } }), /has not verified/],
    [await token({ claims: { email: undefined } }), /no claim `email`/],
    [await token({ claims: { email: "nobody@example.test" } }), /no account/],
    [await token({ pair: second }), /signature that is not right/],
    [await token({ kid: "unknown" }), /key that .* does not have/],
    [`${await token()}x`, /cannot be read|signature/],
  ];
  for (const [presented, why] of cases) await refused(api(presented).sessions.whoAmI({}), why);
  // Within the tolerance for clocks that differ.
  await api(await token({ claims: { exp: now - 5 } })).sessions.whoAmI({});
});

test("an issuer that does not answer is named, and sessions go on", async (t) => {
  const { api, token, issuer, local } = await started(t);
  const signed = await token();
  issuer.close();
  await refused(api(signed).sessions.whoAmI({}), /keys of .* cannot be fetched/);
  assert.ok((await local.system.getStatus({})).version);
});

test("an issuer's keys, claim and tolerance are those that the options name", async (t) => {
  const { api, token, issuer } = await started(t, (url) => [
    `--oidc-jwks-url=${url}/elsewhere`,
    "--oidc-name-claim=preferred_username",
    "--oidc-clock-tolerance-seconds=0",
    "--oidc-algorithms=ES256",
  ]);
  const named = { preferred_username: "alice", email: "nobody@example.test" };
  const elliptical = { alg: "ES256", pair: elliptic, kid: "ec" };
  const good = await token({ ...elliptical, claims: named });
  assert.equal((await api(good).sessions.whoAmI({})).user?.username, "alice");
  assert.deepEqual([...new Set(issuer.asked)], ["/elsewhere"]);
  const now = Math.floor(Date.now() / 1000);
  const late = await token({ ...elliptical, claims: { ...named, exp: now - 5 } });
  await refused(api(late).sessions.whoAmI({}), /has expired/);
  const rsa = await token({ claims: named });
  await refused(api(rsa).sessions.whoAmI({}), /not signed with one of ES256/);
});

async function started(t: TestContext, more: (issuerUrl: string) => readonly string[] = () => []) {
  const issuer = await startIssuer(t);
  await issuer.publish([
    ["rsa", first],
    ["ec", elliptic],
  ]);
  const server = await serveInside(
    t,
    dataFolder(t),
    `--oidc-issuer=${issuer.url}`,
    `--oidc-audience=${AUDIENCE}`,
    ...more(issuer.url),
  );
  await server.api.users.createUser({
    username: "alice",
    email: "alice@example.test",
    password: "a long password",
  });
  const { listeners } = await server.api.system.getStatus({});
  const { address } = listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)!;
  const token = (
    how: {
      alg?: string;
      pair?: Pair;
      kid?: string;
      claims?: Readonly<Record<string, unknown>>;
    } = {},
  ): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const payload = {
      iss: issuer.url,
      aud: AUDIENCE,
      sub: "subject-1",
      email: "alice@example.test",
      email_verified: true,
      exp: now + 600,
      ...how.claims,
    };
    return new SignJWT(payload)
      .setProtectedHeader({ alg: how.alg ?? "RS256", kid: how.kid ?? "rsa" })
      .sign((how.pair ?? first).privateKey);
  };
  const api = (presented: string): Api => {
    const channel = openChannel({
      address,
      label: address,
      token: presented,
      tls: false,
      caFile: undefined,
    });
    t.after(() => channel.close());
    return createApi(channel, () => presented);
  };
  return { issuer, token, api, local: server.api };
}

/** An identity provider: a discovery document and the keys. */
async function startIssuer(t: TestContext) {
  let keys: unknown[] = [];
  const asked: string[] = [];
  const server = createServer((req, res) => {
    asked.push(req.url ?? "");
    res.setHeader("content-type", "application/json");
    const isDiscovery = req.url === "/.well-known/openid-configuration";
    res.end(JSON.stringify(isDiscovery ? { issuer: url, jwks_uri: `${url}/keys` } : { keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): void => {
    server.closeAllConnections();
    server.close();
  };
  t.after(close);
  return {
    url,
    asked,
    close,
    async publish(pairs: readonly [string, Pair][]): Promise<void> {
      keys = await Promise.all(
        pairs.map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid })),
      );
    },
  };
}

async function refused(answer: Promise<unknown>, why: RegExp): Promise<void> {
  await assert.rejects(answer, (error: unknown) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.match(error.message, why);
    return true;
  });
}
