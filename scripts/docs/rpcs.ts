import { readdirSync } from "node:fs";
import path from "node:path";
import { commentedLines, read } from "./sources.js";

/** One RPC, as its proto file has it. */
export interface Rpc {
  readonly service: string;
  readonly name: string;
  readonly streams: boolean;
  readonly comment: string;
}

const PROTO_FOLDER = "proto/latchkey/v1";

/** Every RPC of the control API, by file and in the order of the files. */
export function rpcs(root: string): readonly Rpc[] {
  return readdirSync(path.join(root, PROTO_FOLDER))
    .filter((file) => file.endsWith(".proto"))
    .toSorted()
    .flatMap((file) => rpcsOf(read(root, `${PROTO_FOLDER}/${file}`)));
}

function rpcsOf(text: string): readonly Rpc[] {
  const service = /^service (\w+)/m.exec(text)?.[1];
  if (service === undefined) return [];
  return commentedLines(text, /^\s*rpc /).map(({ comment, code }) => ({
    service,
    name: /^rpc (\w+)/.exec(code)?.[1] ?? "",
    streams: code.includes("returns (stream "),
    comment,
  }));
}
