import { toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type { ServerReflection } from "../../proto/gen/grpc/reflection/v1/reflection_pb.js";
import type { ServerReflection as ServerReflectionAlpha } from "../../proto/gen/grpc/reflection/v1alpha/reflection_pb.js";

/** What both versions of the reflection service answer to one question. */
type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** What both versions of the reflection service are asked. */
type Question =
  | { case: "fileByFilename" | "fileContainingSymbol" | "listServices"; value: string }
  | { case: "fileContainingExtension" | "allExtensionNumbersOfType"; value: unknown }
  | { case: undefined; value?: undefined };

/** Lets grpcurl and its like learn the API from the server: only what is served is advertised. */
export function reflectionServices(services: readonly DescService[]): {
  readonly v1: ServiceImpl<typeof ServerReflection>;
  readonly v1alpha: ServiceImpl<typeof ServerReflectionAlpha>;
} {
  const files = fileIndex(services);
  const symbols = symbolIndex(files);
  const reply = (question: Question): Answer => answer(question, { services, files, symbols });
  return {
    v1: {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = reply(request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    },
    v1alpha: {
      async *serverReflectionInfo(requests) {
        for await (const request of requests) {
          const messageResponse = reply(request.messageRequest);
          yield { validHost: request.host, originalRequest: request, messageResponse };
        }
      },
    },
  };
}

interface Known {
  readonly services: readonly DescService[];
  readonly files: ReadonlyMap<string, DescFile>;
  readonly symbols: ReadonlyMap<string, DescFile>;
}

function answer(question: Question, known: Known): Answer {
  switch (question.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: known.services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return withFile(known.files.get(question.value), `file ${question.value}`);
    case "fileContainingSymbol":
      return withFile(known.symbols.get(question.value), `symbol ${question.value}`);
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
    case undefined:
      return missing("extension");
    default:
      return question satisfies never;
  }
}

function withFile(file: DescFile | undefined, what: string): Answer {
  if (file === undefined) return missing(what);
  const bytes = closure(file).map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto: bytes } };
}

function missing(what: string): Answer {
  return {
    case: "errorResponse",
    value: { errorCode: Code.NotFound, errorMessage: `there is no ${what}` },
  };
}

/** A file and all that it imports, itself first: clients cannot read it without. */
function closure(file: DescFile): DescFile[] {
  const seen = new Set<DescFile>([file]);
  for (const each of seen) {
    for (const dependency of each.dependencies) seen.add(dependency);
  }
  return [...seen];
}

function fileIndex(services: readonly DescService[]): ReadonlyMap<string, DescFile> {
  const index = new Map<string, DescFile>();
  for (const service of services) {
    // A descriptor's name has no ending; clients ask with it.
    for (const file of closure(service.file)) index.set(`${file.name}.proto`, file);
  }
  return index;
}

function symbolIndex(files: ReadonlyMap<string, DescFile>): ReadonlyMap<string, DescFile> {
  const index = new Map<string, DescFile>();
  for (const file of files.values()) {
    for (const service of file.services) {
      index.set(service.typeName, file);
      for (const method of service.methods) index.set(`${service.typeName}.${method.name}`, file);
    }
    const messages = [...file.messages];
    for (const message of messages) {
      index.set(message.typeName, file);
      messages.push(...message.nestedMessages);
      for (const nested of message.nestedEnums) index.set(nested.typeName, file);
    }
    for (const each of file.enums) index.set(each.typeName, file);
  }
  return index;
}
