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

/** The lines that `npm start` prints when everything listens. */
export function bannerText(banner: Banner): string {
  const lines = [
    `Latchkey ${banner.version} is up.`,
    "",
    `  Proxy      ${banner.proxyUrl}        base URL for SDKs (OpenAI: add /v1)`,
    `  Control    ${banner.controlAddress}        gRPC, gRPC-Web and Connect; /healthz /readyz /metrics`,
    `  Data       ${banner.dataFolder}`,
    `  Dashboard  npm run tui                    on this host no password is needed`,
  ];
  if (banner.vaultLocked) {
    lines.push("", "  The vault is locked: `latchkey vault unlock` asks for the passphrase.");
  } else if (banner.empty) {
    lines.push(
      "",
      "  First steps, in the dashboard (n on its screens 2 and 3) or here:",
      "    npm run tui -- provider-keys create --provider openai --name main     asks for the secret",
      "    npm run tui -- client-keys create --name my-app                       shows the key once",
    );
  }
  return `${lines.join("\n")}\n`;
}
