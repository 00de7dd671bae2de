/** What a start tells the person in front of it. */
export interface Banner {
  readonly version: string;
  readonly proxyUrl: string;
  readonly controlAddress: string;
  readonly dataFolder: string;
  readonly vaultLocked: boolean;
  /** True when there is no provider key yet: the next steps are worth saying. */
  readonly empty: boolean;
}

/** How the person in front of it asks this server. */
export interface CommandLineClient {
  /** `npm run tui` in a checkout, `latchkey` where it is installed. */
  readonly program: string;
  /** Undefined where the client finds the server's data folder by itself. */
  readonly dataFolder: string | undefined;
}

/** The lines that are printed when everything listens. */
export function bannerText(banner: Banner, client: CommandLineClient): string {
  const lines = [
    `Latchkey ${banner.version} is up.`,
    "",
    `  Proxy      ${banner.proxyUrl}        base URL for SDKs (OpenAI: add /v1)`,
    `  Control    ${banner.controlAddress}        gRPC, gRPC-Web and Connect; /healthz /readyz /metrics`,
    `  Data       ${banner.dataFolder}`,
    `  Dashboard  ${commandOf(client, "")}        on this host no password is needed`,
  ];
  if (banner.vaultLocked) {
    const unlock = commandOf(client, "vault unlock");
    lines.push("", `  The vault is locked: \`${unlock}\` asks for the passphrase.`);
  } else if (banner.empty) {
    const provider = commandOf(client, "provider-keys create --provider openai --name main");
    const caller = commandOf(client, "client-keys create --name my-app");
    lines.push(
      "",
      "  First steps, in the dashboard (n on its screens 2 and 3) or here:",
      `    ${provider}     asks for the secret`,
      `    ${caller.padEnd(provider.length)}     shows the key once`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function commandOf({ program, dataFolder }: CommandLineClient, subcommand: string): string {
  const data = dataFolder === undefined ? "" : `--data ${quoted(dataFolder)}`;
  const rest = [data, subcommand].filter((part) => part !== "").join(" ");
  if (rest === "") return program;
  // npm takes everything before the dashes for its own arguments.
  return program.startsWith("npm ") ? `${program} -- ${rest}` : `${program} ${rest}`;
}

/** As a shell takes it in one piece. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
