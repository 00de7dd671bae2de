import type { Turn } from "../../caller/turn.js";
import type { DialectCodec, StreamEdit, StreamForm } from "../../dialect/codec.js";
import type { HeaderBlock } from "../../http/header-block.js";
import type { UpstreamFailure } from "../../upstream/failure.js";
import type { SecretSieve } from "../../upstream/redact.js";
import type { OnRecord } from "../record-round.js";

/** What a relay tells of the stream that goes through it. */
export interface RelayListener {
  /** The first bytes are about to go to the caller. */
  onFirstByte(): void;
  /** What goes to the caller is the beginning of a reply, and no error. */
  onBegun(): void;
  /** The last event is about to go to the caller: what must be on record first is recorded now. */
  onLastEvent(): OnRecord;
  /** So many bytes of the stream are held now, in steps. */
  onHeld(bytes: number): void;
  onBug(thrown: unknown): void;
}

/** A provider's stream, and what becomes of it on its way. */
export interface StreamSource {
  readonly codec: DialectCodec;
  readonly form: StreamForm;
  /** Server-sent events. Where it is no array either, it is any bytes. */
  readonly events: boolean;
  /** A JSON array, as Google streams without events. */
  readonly elements: boolean;
  /** Undefined where every byte goes on as it is. */
  readonly edit: StreamEdit | undefined;
  /** Stops it and lets it flow again. */
  readonly tap: { pause(): void; resume(): void } | undefined;
  /** Undefined where it comes plain. */
  readonly unpacker: { readonly keptBytes: number } | undefined;
  /** Where it comes from. */
  readonly trip: StreamOrigin;
}

/** Hears of a stream that says it failed. */
export interface StreamOrigin {
  /**
   * The first events say that the call failed, and nothing has gone to the caller; `error` as `StreamWatch.failure`
   * tells it. Answers true when it is tried elsewhere, so that nothing of this stream may go on.
   */
  refuseOpening(error: string): boolean;
  /** It broke off, as what follows shows. */
  onFail(failure: UpstreamFailure): void;
  /** Events that tell the caller of a failure, in which the provider's key must not be. */
  withoutSecret(events: Buffer): Buffer;
  /** The same for an event that goes on in pieces. */
  sieve(): SecretSieve;
}

export interface RelayOptions {
  readonly turn: Turn;
  readonly httpStatus: number;
  /** Let go when they are sent, for a stream may be long. */
  readonly headers: HeaderBlock;
  /** Of the caller's dialect. */
  readonly codec: DialectCodec;
  /** The caller gets server-sent events; otherwise any bytes. */
  readonly events: boolean;
  readonly eventBytesMax: number;
  /** Bytes of the body as the head says, with which the caller has all of it; undefined where its end is marked. */
  readonly length: number | undefined;
  readonly source: StreamSource;
  readonly listener: RelayListener;
}
