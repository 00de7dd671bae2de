import { fromBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { ErrorInfoSchema, type ErrorInfo } from "../../proto/gen/latchkey/v1/errors_pb.js";

/** `google.rpc.Status`: code = 1, message = 2, details = 3. Only the details are read. */
const DETAILS_FIELD = 3;

/**
 * Reads the one error detail of this API from a `grpc-status-details-bin` trailer. Answers undefined
 * for a server that sends none and for bytes that are not such a trailer: the plain message is
 * still there to be shown.
 */
export function readErrorInfo(trailer: Uint8Array): ErrorInfo | undefined {
  try {
    for (const bytes of detailsOf(trailer)) {
      const any = fromBinary(AnySchema, bytes);
      if (any.typeUrl.endsWith(`/${ErrorInfoSchema.typeName}`)) {
        return fromBinary(ErrorInfoSchema, any.value);
      }
    }
  } catch {
    // A proxy in between may have mangled the trailer; that must not hide the error itself.
  }
  return undefined;
}

function detailsOf(trailer: Uint8Array): Uint8Array[] {
  const reader = new BinaryReader(trailer);
  const found: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === DETAILS_FIELD) found.push(reader.bytes());
    else reader.skip(wireType, field);
  }
  return found;
}
