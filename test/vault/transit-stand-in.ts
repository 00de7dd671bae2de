import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { HttpPost } from "../../server/vault/root-key/transit.js";

export interface TransitStandIn {
  readonly address: string;
  token: string;
  /** Adds a version to a key; older ciphertexts still decrypt. */
  rotate(name: string): void;
  /** Path and answer of every request. */
  readonly log: string[];
  /** When set, every request is answered like this, as by a sealed server. */
  failure: { status: number; body: string } | undefined;
}

/**
 * The part of the transit engine's HTTP interface that is used, with its status codes and texts: encrypt and
 * decrypt with versioned AES-256-GCM keys, 403 without the token or the right to make keys, 404 for other
 * mounts, 400 for an unknown key and for a ciphertext that is malformed or of another key.
 */
export async function startTransitStandIn(
  context: TestContext,
  names: readonly string[],
): Promise<TransitStandIn> {
  const keys = new Map(names.map((name) => [name, [randomBytes(32)]]));
  const standIn = {
    address: "",
    token: "s.test-token",
    log: [] as string[],
    failure: undefined as { status: number; body: string } | undefined,
    rotate: (name: string) => keys.get(name)?.push(randomBytes(32)),
  };
  const server = createServer((incoming, outgoing) => {
    void answer(incoming, outgoing);
  });
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Uint8Array);
    const { status, body } = reply(incoming, Buffer.concat(chunks).toString());
    standIn.log.push(`${incoming.method} ${incoming.url} ${status}`);
    outgoing.writeHead(status, { "content-type": "application/json" });
    outgoing.end(typeof body === "string" ? body : `${JSON.stringify(body)}\n`);
  };
  const reply = (incoming: IncomingMessage, text: string): { status: number; body: unknown } => {
    if (standIn.failure !== undefined) return standIn.failure;
    if (incoming.headers["x-vault-token"] !== standIn.token) {
      return errors(403, "permission denied");
    }
    const match = /^\/v1\/transit\/(encrypt|decrypt)\/([\w-]+)$/.exec(incoming.url ?? "");
    if (incoming.method !== "POST" || match === null) {
      return errors(
        404,
        `no handler for route "${incoming.url?.slice(4)}". route entry not found.`,
      );
    }
    const versions = keys.get(match[2]!);
    const body = JSON.parse(text) as Record<string, string>;
    if (match[1] === "decrypt") return decrypt(versions, body);
    // Making a key by encrypting needs the right to create, which this token does not have.
    return versions === undefined ? errors(403, "permission denied") : encrypt(versions, body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => new Promise((resolve) => server.close(resolve)));
  standIn.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return standIn;
}

function errors(status: number, ...messages: readonly string[]) {
  return { status, body: { errors: messages } };
}

function envelope(data: Readonly<Record<string, unknown>>) {
  const body = {
    request_id: "6a1ffba4-8b5e-5d8a-9d8d-0a1b2c3d4e5f",
    lease_id: "",
    renewable: false,
    lease_duration: 0,
    data,
    wrap_info: null,
    warnings: null,
    auth: null,
  };
  return { status: 200, body };
}

function encrypt(versions: readonly Buffer[], body: Readonly<Record<string, string>>) {
  const plaintext = body["plaintext"];
  if (plaintext === undefined) return errors(400, "missing plaintext");
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", versions.at(-1)!, nonce);
  const text = [cipher.update(Buffer.from(plaintext, "base64")), cipher.final()];
  const box = Buffer.concat([nonce, ...text, cipher.getAuthTag()]).toString("base64");
  const version = versions.length;
  return envelope({ ciphertext: `vault:v${version}:${box}`, key_version: version });
}

function decrypt(versions: readonly Buffer[] | undefined, body: Readonly<Record<string, string>>) {
  if (versions === undefined) return errors(400, "encryption key not found");
  const match = /^vault:v(\d+):([A-Za-z0-9+/]+=*)$/.exec(body["ciphertext"] ?? "");
  if (match === null) return errors(400, "invalid ciphertext: no prefix");
  const key = versions[Number(match[1]) - 1];
  if (key === undefined) return errors(400, "invalid ciphertext: version is too new");
  const box = Buffer.from(match[2]!, "base64");
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, box.subarray(0, 12));
    decipher.setAuthTag(box.subarray(-16));
    const text = Buffer.concat([decipher.update(box.subarray(12, -16)), decipher.final()]);
    return envelope({ plaintext: text.toString("base64") });
  } catch {
    return errors(400, "invalid ciphertext: unable to decrypt");
  }
}

/** What the upstream module gives to the real one. */
export const testHttpPost: HttpPost = ({ url, headers, body }) =>
  new Promise((resolve, reject) => {
    const sent = request(url, { method: "POST", headers }, (incoming) => {
      const chunks: Uint8Array[] = [];
      incoming.on("data", (chunk: Uint8Array) => chunks.push(chunk));
      incoming.on("end", () =>
        resolve({ status: incoming.statusCode ?? 0, body: Uint8Array.from(Buffer.concat(chunks)) }),
      );
      incoming.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
