import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";

/** A self-signed certificate and its key, in PEM. */
export interface TestPair {
  readonly cert: Buffer;
  readonly key: Buffer;
}

const DAY_MS = 86_400_000;
const ECDSA_WITH_SHA256 = "06082a8648ce3d040302";
const RSA_WITH_SHA256 = "06092a864886f70d01010b0500";
const COMMON_NAME = "0603550403";
const SUBJECT_ALT_NAME = "0603551d11";

/**
 * Makes a pair for loopback, named by `name` in its subject; one with `days` below zero has expired. Its key
 * is of an elliptic curve, or RSA with so many bits.
 */
export function makePair(name: string, days = 30, rsaBits?: number): TestPair {
  const { privateKey, publicKey } =
    rsaBits === undefined
      ? generateKeyPairSync("ec", { namedCurve: "P-256" })
      : generateKeyPairSync("rsa", { modulusLength: rsaBits });
  const algorithm = der(0x30, hex(rsaBits === undefined ? ECDSA_WITH_SHA256 : RSA_WITH_SHA256));
  const subject = der(
    0x30,
    der(0x31, der(0x30, hex(COMMON_NAME), der(0x0c, Buffer.from(name, "utf8")))),
  );
  const now = Date.now();
  const names = der(0x30, der(0x82, Buffer.from("localhost")), der(0x87, hex("7f000001")));
  const body = der(
    0x30,
    der(0xa0, der(0x02, hex("02"))),
    der(0x02, Buffer.concat([hex("01"), randomBytes(15)])),
    algorithm,
    subject,
    der(0x30, time(now - 60 * DAY_MS), time(now + days * DAY_MS)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, der(0x30, der(0x30, hex(SUBJECT_ALT_NAME), der(0x04, names)))),
  );
  const signature = Buffer.concat([hex("00"), sign("sha256", body, privateKey)]);
  const whole = der(0x30, body, algorithm, der(0x03, signature));
  // OpenSSL takes no blank line before the end.
  const lines = whole.toString("base64").replaceAll(/(.{64})(?=.)/g, "$1\n");
  return {
    cert: Buffer.from(`-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`),
    key: Buffer.from(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

/** Writes a pair to a folder; answers where. */
export function writePair(folder: string, pair: TestPair): { cert: string; key: string } {
  const files = { cert: path.join(folder, "tls.crt"), key: path.join(folder, "tls.key") };
  writeFileSync(files.cert, pair.cert);
  writeFileSync(files.key, pair.key, { mode: 0o600 });
  return files;
}

/** One element of DER: its tag, its length and what it holds. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function hex(text: string): Buffer {
  return Buffer.from(text, "hex");
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  return der(0x18, Buffer.from(text));
}
