import { toBinary, type DescFile, type DescService } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code, type ServiceImpl } from "@connectrpc/connect";
import type {
  ServerReflection,
  ServerReflectionRequest,
} from "../../proto/gen/grpc/reflection/v1/reflection_pb.js";

/** What both versions of the reflection service answer to one question. */
type Answer =
  | { case: "fileDescriptorResponse"; value: { fileDescriptorProto: Uint8Array[] } }
  | { case: "listServicesResponse"; value: { service: { name: string }[] } }
  | { case: "errorResponse"; value: { errorCode: number; errorMessage: string } };

/** Lets grpcurl and its like learn the API from the server: only what is served is advertised. */
export function reflectionService(
  services: readonly DescService[],
): ServiceImpl<typeof ServerReflection> {
  const files = fileIndex(services);
  const symbols = symbolIndex(files);
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: answer(request, services, files, symbols),
        };
      }
    },
  };
}

function answer(
  request: ServerReflectionRequest,
  services: readonly DescService[],
  files: ReadonlyMap<string, DescFile>,
  symbols: ReadonlyMap<string, DescFile>,
): Answer {
  const question = request.messageRequest;
  switch (question.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map(({ typeName }) => ({ name: typeName })) },
      };
    case "fileByFilename":
      return withFile(files.get(question.value), `file ${question.value}`);
    case "fileContainingSymbol":
      return withFile(symbols.get(question.value), `symbol ${question.value}`);
    case "fileContainingExtension":
    case "allExtensionNumbersOfType":
    case undefined:
      return missing("extension");
    default:
      return missing("answer to this question");
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
