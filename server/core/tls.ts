/** What a port needs to speak TLS, in PEM. */
export interface TlsFiles {
  /** The certificate, followed by those that lead to its root. */
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** The oldest version that any port speaks. */
export const TLS_VERSION_MIN = "TLSv1.2";
