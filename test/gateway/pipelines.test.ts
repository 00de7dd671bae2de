import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { CLIENT_KEY, startGateway } from "./fixture.js";

test("requests in a row that are answered at once keep nobody else waiting", async (t) => {
  const gateway = await startGateway({ models: [] });
  const asked: string[] = [];
  const { authenticator } = gateway;
  const authenticate = authenticator.authenticate.bind(authenticator);
  authenticator.authenticate = (key, ip) => {
    asked.push(key.text);
    return authenticate(key, ip);
  };
  const request = (key: string): string =>
    `GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`;
  const [first, second] = await Promise.all(
    [1, 2].map(async () => {
      const socket = net.connect(gateway.port, "127.0.0.1");
      t.after(() => socket.destroy());
      await once(socket, "connect");
      return socket;
    }),
  );
  assert.ok(first !== undefined && second !== undefined);
  const count = 200;
  let answers = "";
  first.on("data", (bytes: Buffer) => (answers += bytes.toString("latin1")));
  first.write(request("sk-in-a-row").repeat(count));
  second.write(request(CLIENT_KEY));
  while (answers.split("HTTP/1.1 401 ").length <= count) await once(first, "data");
  assert.equal(asked.length, count + 1);
  const place = asked.indexOf(CLIENT_KEY);
  assert.ok(place < 20, `${String(place)} requests went before that of the other caller`);
  await gateway.close();
});
