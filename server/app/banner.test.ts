import assert from "node:assert/strict";
import { test } from "node:test";
import { type Banner, bannerText } from "./banner.js";

const BANNER: Banner = {
  version: "1",
  proxyUrl: "http://127.0.0.1:8080",
  controlAddress: "127.0.0.1:7443",
  dataFolder: "/data",
  vaultLocked: false,
  empty: true,
};

test("a start tells commands that work as they stand where it was started", () => {
  const checkout = bannerText(BANNER, { program: "npm run tui", dataFolder: undefined });
  assert.match(checkout, /Dashboard {2}npm run tui {2,}on this host/);
  assert.match(checkout, /^ {4}npm run tui -- client-keys create --name my-app /m);
  const installed = bannerText(BANNER, { program: "latchkey", dataFolder: undefined });
  assert.match(installed, /Dashboard {2}latchkey {2,}on this host/);
  assert.match(installed, /^ {4}latchkey provider-keys create --provider openai --name main /m);
});

test("a data folder that was named at the start is named in the commands, whatever is in its name", () => {
  const client = { program: "npm run tui", dataFolder: "/srv/it's 数据" };
  const locked = { ...BANNER, vaultLocked: true };
  const folder = String.raw`'/srv/it'\''s 数据'`;
  assert.ok(bannerText(BANNER, client).includes(`npm run tui -- --data ${folder} client-keys`));
  assert.ok(bannerText(locked, client).includes(`npm run tui -- --data ${folder} vault unlock`));
});
