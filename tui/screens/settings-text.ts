import { SettingsSchema, type GetSettingsResponse } from "../../proto/gen/latchkey/v1/system_pb.js";
import { enumWord } from "../present/enum-word.js";
import { limitsText } from "../present/limits.js";
import type { Span } from "../term/painter.js";
import { openText } from "./text-modal.js";
import type { ViewContext } from "./view.js";

const LABEL_WIDTH = 30;

/** Shows what can be changed while the server runs, and what it was started with. */
export function openSettings(context: ViewContext): void {
  openText(context, {
    title: "Settings and configuration",
    permission: "system.get_settings",
    fetch: async (signal) => linesOf(await context.api.system.getSettings({}, { signal })),
  });
}

function linesOf({ settings, config }: GetSettingsResponse): Span[][] {
  const lines: Span[][] = [[{ text: "SETTINGS", style: "header" }]];
  if (settings !== undefined) {
    lines.push(
      ...SettingsSchema.fields
        .filter(({ name }) => name !== "version" && name !== "update_time")
        .map((field) => {
          const value: unknown = settings[field.localName as keyof typeof settings];
          if (field.enum !== undefined)
            return line(field.name, enumWord(field.enum, Number(value)));
          if (field.message === undefined) return line(field.name, String(value));
          return line(field.name, limitsOf(settings, field.localName));
        }),
    );
  }
  lines.push([], [{ text: "STARTED WITH", style: "header" }]);
  for (const { name, value, source } of config) {
    lines.push([...line(name, value), { text: `  (${source})`, style: "muted" }]);
  }
  return lines;
}

function limitsOf(settings: NonNullable<GetSettingsResponse["settings"]>, name: string): string {
  const { defaultClientKeyLimits, serverLimits } = settings;
  const limits = name === "serverLimits" ? serverLimits : defaultClientKeyLimits;
  return limitsText(limits) || "none";
}

function line(name: string, value: string): Span[] {
  return [{ text: name.replaceAll("_", " ").padEnd(LABEL_WIDTH), style: "muted" }, { text: value }];
}
