import { readFile } from "node:fs/promises";
import { Fault } from "../../core/fault.js";
import { wipe, wipeable } from "../bytes.js";
import type { KeyManagementService } from "./kms.js";
import { decodeBase64, encodeBase64 } from "./wipeable-base64.js";

const TIMEOUT_MS = 10_000;
const TOKEN_CHARS_MAX = 4096;
/** Of what the service or the connection says of a failure, in characters. */
const WORDS_MAX = 200;
/** What Node says of a certificate that no authority it knows has signed. */
const UNKNOWN_AUTHORITY = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

export interface HttpPostRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
}

interface Reply {
  readonly status: number;
  readonly body: Uint8Array;
}

/** Sends one POST and gives the whole reply; rejects when none came. It follows no redirects. */
export type HttpPost = (request: HttpPostRequest) => Promise<Reply>;

export interface TransitOptions {
  /** E.g. `https://vault.internal:8200`, without a path. */
  readonly address: string;
  /** Where the transit engine is mounted, usually `transit`. */
  readonly mount: string;
  /** Name of a symmetric transit key. */
  readonly keyName: string;
  /** Read for each request, so that an agent can renew the token in it. */
  readonly tokenFile: string;
  /** For OpenBao and Vault namespaces; undefined for none. */
  readonly namespace: string | undefined;
  readonly httpPost: HttpPost;
}

/** The transit engine of OpenBao and HashiCorp Vault. */
export function createTransitService(options: TransitOptions): KeyManagementService {
  const source = `transit key ${options.keyName} at ${options.address}`;
  return {
    kind: "TRANSIT",
    describe: () => source,
    async encrypt(plaintext) {
      const text = encodeBase64(plaintext);
      const body = field("plaintext", text);
      wipe(text);
      const reply = await post(options, "encrypt", body);
      wipe(body);
      if (reply.status !== 200) throw refused(source, reply);
      const ciphertext = readField(reply.body, "ciphertext");
      if (ciphertext === undefined) throw refused(source, reply);
      return Uint8Array.from(ciphertext);
    },
    async decrypt(ciphertext) {
      const reply = await post(options, "decrypt", field("ciphertext", ciphertext));
      // 400 is the engine's answer to a key that it does not have, to a ciphertext of another key and to garbage.
      if (reply.status === 400) {
        throw new Fault(
          "root_key_wrong",
          `The ${source} cannot decrypt this vault's root key${wordsOf(reply)}; name the service, namespace and key that the vault was made with, and let the key decrypt what its older versions encrypted.`,
        );
      }
      if (reply.status !== 200) throw refused(source, reply);
      const plaintext = readField(reply.body, "plaintext");
      const bytes = plaintext === undefined ? undefined : decodeBase64(plaintext);
      wipe(reply.body);
      if (bytes === undefined) throw refused(source, reply);
      return bytes;
    },
  };
}

async function post(
  options: TransitOptions,
  action: "encrypt" | "decrypt",
  body: Uint8Array,
): Promise<Reply> {
  const { address, mount, keyName, namespace } = options;
  const path = ["v1", ...mount.split("/"), action, keyName].map(encodeURIComponent).join("/");
  const token = await readToken(options.tokenFile);
  const headers = {
    "content-type": "application/json",
    "x-vault-token": token,
    // Asked of clients so that a forged browser request cannot reach the engine.
    "x-vault-request": "true",
    ...(namespace === undefined ? {} : { "x-vault-namespace": namespace }),
  };
  const url = `${address.replace(/\/+$/, "")}/${path}`;
  try {
    return await options.httpPost({ url, headers, body, timeoutMs: TIMEOUT_MS });
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    const remedy = UNKNOWN_AUTHORITY.has(code ?? "")
      ? "name the file with its authority's certificate in NODE_EXTRA_CA_CERTS"
      : "the root key cannot be had until it does";
    throw new Fault(
      "upstream_unreachable",
      `The key management service at ${address} does not answer${inBrackets(message)}; ${remedy}.`,
      { cause: thrown, retryAfterSeconds: 10 },
    );
  }
}

async function readToken(file: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((thrown: unknown) => {
    throw new Fault("config_invalid", `The transit token file ${file} cannot be read.`, {
      cause: thrown,
    });
  });
  const token = text.trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length > TOKEN_CHARS_MAX) {
    throw new Fault("config_invalid", `The transit token file ${file} does not hold one token.`);
  }
  return token;
}

function refused(source: string, reply: Reply): Fault {
  const words = wordsOf(reply);
  if (reply.status === 403) {
    return new Fault(
      "config_invalid",
      `The ${source} refused the token${words}; check that the key exists and that the token may encrypt and decrypt with it.`,
    );
  }
  if (reply.status === 404) {
    return new Fault(
      "config_invalid",
      `There is no transit engine where the ${source} should be${words}; correct the mount path.`,
    );
  }
  return new Fault(
    "upstream_unreachable",
    `The ${source} answered ${reply.status}${words}; see the service's own log. The root key cannot be had until it works.`,
    { retryAfterSeconds: 10 },
  );
}

/** What the service says of a failure, in brackets; a reply that succeeded may hold the key and is not told. */
function wordsOf({ status, body }: Reply): string {
  if (status === 200) return "";
  try {
    const { errors } = JSON.parse(Buffer.from(body).toString()) as { errors?: unknown };
    return Array.isArray(errors) ? inBrackets(errors.join(", ")) : "";
  } catch {
    return "";
  }
}

function inBrackets(text: string): string {
  const line = text.replaceAll(/[^\x20-\x7e]+/g, " ").trim();
  return line === "" ? "" : ` (${line.slice(0, WORDS_MAX)})`;
}

/** `{"name":"value"}` without a string in between, because strings cannot be wiped. The value needs no escapes. */
function field(name: string, value: Uint8Array): Uint8Array {
  const head = Buffer.from(`{"${name}":"`);
  const body = wipeable(head.length + value.length + 2);
  body.set(head, 0);
  body.set(value, head.length);
  body.set(Buffer.from('"}'), head.length + value.length);
  return body;
}

/** The value of a string field of a JSON text, as a view of it; base64 and `vault:v1:…` hold no escapes. */
function readField(body: Uint8Array, name: string): Uint8Array | undefined {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const label = `"${name}"`;
  const found = bytes.indexOf(label);
  if (found < 0) return undefined;
  let at = found + label.length;
  while (isBetween(bytes[at])) at++;
  if (bytes[at] !== 0x22) return undefined;
  const end = bytes.indexOf('"', at + 1);
  return end < 0 ? undefined : body.subarray(at + 1, end);
}

/** White space and the colon between a name and its value. */
function isBetween(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09 || byte === 0x3a;
}
