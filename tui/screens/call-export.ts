import { ExportCallsRequest_Format } from "../../proto/gen/latchkey/v1/calls_pb.js";
import { count } from "../present/format.js";
import { openForm } from "./form-modal.js";
import type { ViewContext } from "./view.js";

const FORMATS = [
  { value: String(ExportCallsRequest_Format.CSV), label: "CSV" },
  { value: String(ExportCallsRequest_Format.JSONL), label: "JSON Lines" },
];

/** Asks for a file and writes all calls to it that the filter selects, oldest first. */
export function openCallExport(context: ViewContext, filter: string): void {
  const day = new Date(context.clock.now()).toISOString().slice(0, 10);
  openForm(context, {
    title: "Export calls",
    permission: "call.list",
    reading: true,
    fields: [
      { kind: "text", name: "filter", label: "Calls", value: filter || "all", disabled: true },
      { kind: "select", name: "format", label: "Format", choices: FORMATS },
      { kind: "text", name: "file", label: "File", value: `./calls-${day}.csv`, required: true },
    ],
    submitLabel: "Write",
    submit: async ({ file = "", format }) => {
      const written = await write(context, file, {
        filter,
        format: Number(format) as ExportCallsRequest_Format,
      });
      context.toast({ text: `${count(written)} calls written to ${file}`, tone: "ok" });
    },
  });
}

async function write(
  context: ViewContext,
  path: string,
  request: { readonly filter: string; readonly format: ExportCallsRequest_Format },
): Promise<bigint> {
  const file = context.createFile(path);
  let written = 0n;
  try {
    for await (const { chunk, exportedCalls } of context.api.calls.exportCalls(request)) {
      file.write(chunk);
      written = exportedCalls;
    }
  } finally {
    file.close();
  }
  return written;
}
