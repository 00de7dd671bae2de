import type { Command } from "commander";

/**
 * What people type who come from other command lines, and what does it here: the first of these that the command has.
 */
const EQUIVALENTS: readonly (readonly [typed: readonly string[], options: readonly string[]])[] = [
  [
    ["limit", "max", "count", "num", "size", "per-page", "first", "top", "lines", "tail", "n", "l"],
    ["page-size", "max-calls", "top-n", "backfill"],
  ],
  [
    ["output", "out", "format", "as", "o", "j"],
    ["format", "json"],
  ],
  [
    ["page", "cursor", "offset", "skip", "next", "after", "no-pager", "a"],
    ["all", "after-seq"],
  ],
  [
    ["search", "query", "where", "match", "grep", "status", "q"],
    ["filter", "contains"],
  ],
  [
    ["sort", "sort-by", "order", "reverse", "desc"],
    ["order-by", "rank-by"],
  ],
  [
    ["since", "until", "from", "to", "start", "end", "days", "period"],
    ["range", "filter", "days"],
  ],
  [
    ["user", "for", "u"],
    ["owner", "username", "user", "filter"],
  ],
  [["url", "endpoint", "host", "uri", "base"], ["base-url"]],
  [
    ["type", "api", "kind"],
    ["dialect", "kinds", "filter"],
  ],
  [
    ["pattern", "patterns", "model", "m"],
    ["model-patterns", "models", "model", "filter"],
  ],
  [
    ["title", "label", "comment", "desc", "d"],
    ["description", "note", "display-name"],
  ],
  [["ttl", "expiry", "expire", "expires-at", "expires-in", "valid"], ["expires"]],
  [["rpm", "tpm", "budget", "quota", "rate", "concurrency", "max-budget"], ["limits"]],
  [["ip", "cidr", "allow", "allowed-ips"], ["ips"]],
  [["force", "f", "y", "assume-yes", "no-confirm"], ["yes"]],
  [["public", "private", "shared"], ["visibility"]],
  [["level", "severity", "verbose"], ["min-level"]],
  [["follow", "watch", "w", "f"], ["no-follow"]],
  [
    ["id", "name", "n"],
    ["name", "slug", "username"],
  ],
  [["group", "by"], ["group-by"]],
];
const SECRETS: ReadonlySet<string> = new Set(["key", "api-key", "secret", "token", "password"]);

/** What the library says of wrong usage, as this program says what went wrong, with a remedy for what is not there. */
export function complaint(libraryMessage: string, command: Command): string {
  const message = libraryMessage.replace(/^error: /, "latchkey: ");
  if (message.startsWith("latchkey: unknown command ")) {
    const where =
      command.parent === null ? "--help lists what there is" : `There are ${verbsOf(command)}.`;
    return `${message.trimEnd()}\n(${where})\n`;
  }
  const typed = /^latchkey: unknown option '--?([^'=]+)/.exec(message)?.[1];
  if (typed === undefined || message.includes("Did you mean")) return message;
  return `${message.trimEnd()}\n(${remedyFor(typed, command)})\n`;
}

function remedyFor(typed: string, command: Command): string {
  const options = new Map(command.options.map(({ long, flags }) => [long?.slice(2) ?? "", flags]));
  for (const [others, ours] of EQUIVALENTS) {
    if (!others.includes(typed)) continue;
    const known = ours.find((name) => options.has(name));
    if (known !== undefined) return `Did you mean ${options.get(known) ?? ""}?`;
  }
  if (SECRETS.has(typed)) return "Secrets are asked for or read from stdin.";
  if (command.commands.length > 0 && command.parent !== null) {
    return `Options come behind one of: ${verbsOf(command)}.`;
  }
  return `See ${pathOf(command)} --help.`;
}

function verbsOf({ commands }: Command): string {
  return commands.map((each) => each.name()).join(", ");
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
