import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Clock, Timer } from "../core/clock.js";
import { Fault, toFault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { TlsFiles } from "../core/tls.js";
import type { World } from "./foundation.js";

/** How often the files are looked at; a certificate is usually renewed days before it expires. */
const LOOK_INTERVAL_MS = 10_000;
const RSA_BITS_MIN = 2048;

export interface TlsSourceOptions {
  /** Paths of the certificate chain and of its private key. */
  readonly cert: string;
  readonly key: string;
  /** The flags that name them, for messages. */
  readonly flags: { readonly cert: string; readonly key: string };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A certificate and its key in two files, read again when they change, so that renewing one needs no restart. */
export class TlsSource {
  readonly #options: TlsSourceOptions;
  #seen = "";
  #timer: Timer | undefined;
  #take: ((files: TlsFiles) => void) | undefined;

  constructor(options: TlsSourceOptions) {
    this.#options = options;
  }

  /** What the files hold now. Throws Fault `config_invalid` that names the file and what is wrong with it. */
  read(): TlsFiles {
    this.#seen = this.#stamp();
    const { cert, key, flags, clock, logger } = this.#options;
    const files = { cert: readPem(cert, flags.cert), key: readPem(key, flags.key) };
    const certificate = certificateIn(files.cert, this.#options);
    const { validTo } = certificate;
    checkPair(certificate, files, this.#options);
    if (Date.parse(validTo) <= clock.now()) {
      logger.warn({ cert, validTo }, "the TLS certificate has expired: callers will refuse it");
    }
    return files;
  }

  /** Calls `take` with each new pair, until `stop`. One that cannot be used is logged, and the last good one stays. */
  watch(take: (files: TlsFiles) => void): void {
    this.#take = take;
    const look = (): void => {
      if (this.#stamp() !== this.#seen) this.reload();
      this.#timer = this.#options.clock.setTimer(look, LOOK_INTERVAL_MS);
    };
    this.#timer = this.#options.clock.setTimer(look, LOOK_INTERVAL_MS);
  }

  /** Reads the files now, changed or not. */
  reload(): void {
    const { cert, logger } = this.#options;
    try {
      this.#take?.(this.read());
      logger.info({ cert }, "TLS certificate read anew");
    } catch (thrown) {
      const reason = toFault(thrown).publicMessage;
      logger.warn({ cert, reason, err: thrown }, "the new TLS certificate cannot be used");
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#take = undefined;
  }

  /** Says whether anything about the files has changed; links are followed. */
  #stamp(): string {
    return [this.#options.cert, this.#options.key]
      .map((file) => {
        const stat = statSync(file, { bigint: true, throwIfNoEntry: false });
        return stat === undefined ? "none" : `${stat.ino}:${stat.size}:${stat.mtimeNs}`;
      })
      .join(" ");
  }
}

/** The source of a port's pair, or undefined when it has none. Throws Fault `config_invalid` for half a pair. */
function tlsSourceOf(options: TlsSourceOptions): TlsSource | undefined {
  const { cert, key, flags } = options;
  if (cert === "" && key === "") return undefined;
  if (cert === "" || key === "") {
    throw new Fault(
      "config_invalid",
      `--${flags.cert} and --${flags.key} belong together; give both.`,
    );
  }
  return new TlsSource(options);
}

/** Reads a port's pair and keeps it fresh until the server stops. Undefined for a port without TLS. */
export function startTls(
  { clock, logger, lifecycle, onReload }: World,
  files: Pick<TlsSourceOptions, "cert" | "key" | "flags">,
): { readonly files: TlsFiles; readonly source: TlsSource } | undefined {
  const source = tlsSourceOf({ ...files, clock, logger });
  if (source === undefined) return undefined;
  const read = source.read();
  onReload(() => source.reload());
  lifecycle.started(`--${files.flags.cert}`, () => source.stop());
  return { files: read, source };
}

function readPem(file: string, flag: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown cause";
    throw invalid(
      `The TLS file ${file} of --${flag} cannot be read (${code}): give a file that the server's user may read.`,
      error,
    );
  }
}

function certificateIn(pem: Buffer, { cert, flags }: TlsSourceOptions): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw invalid(
      `The TLS file ${cert} of --${flags.cert} holds no certificate: give a PEM file that begins with the server's own.`,
      error,
    );
  }
}

function keyIn(pem: Buffer, { key, flags }: TlsSourceOptions): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw invalid(
      `The TLS file ${key} of --${flags.key} holds no private key that can be read: give a PEM file without a passphrase.`,
      error,
    );
  }
}

function checkPair(certificate: X509Certificate, files: TlsFiles, options: TlsSourceOptions): void {
  const { cert, key } = options;
  const privateKey = keyIn(files.key, options);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw invalid(
      `The private key in ${key} does not belong to the certificate in ${cert}: give two files that were made together.`,
    );
  }
  // Checked here, since the TLS library's own message would not say what is wrong.
  const bits = privateKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < RSA_BITS_MIN) {
    throw invalid(
      `The private key in ${key} has ${bits} bits, too few for TLS: have a pair made with ${RSA_BITS_MIN} or with an elliptic curve.`,
    );
  }
}

function invalid(message: string, cause?: unknown): Fault {
  return new Fault("config_invalid", message, { cause });
}
