// The gateways that are compared. One that is not installed is left out, and says so.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { createRequire } from "node:module";
import path from "node:path";

/** Latchkey with every feature on: keys, limits, journal, database log, live metrics. */
export async function startLatchkey({ folder, origin, stops, nodeArgs = [] }) {
  const { startServerProcess } = await import("../../dist/scripts/lib/server-process.js");
  const { Dialect } = await import("../../dist/proto/gen/latchkey/v1/common_pb.js");
  const server = await startServerProcess({
    dataFolder: path.join(folder, "data"),
    args: ["--log-level", "error"],
    nodeArgs,
  });
  stops.push(() => server.stop());
  const { provider } = await server.api.providers.createProvider({
    slug: "bench",
    displayName: "Bench",
    baseUrl: `${origin}/v1`,
    dialect: Dialect.OPENAI,
  });
  await server.api.providerKeys.createProviderKey({
    providerId: provider.id,
    name: "bench",
    secret: "sk-bench-upstream-0001",
  });
  const { secret } = await server.api.clientKeys.createClientKey({
    name: "bench",
    limits: {
      requestsPerMinute: 10_000_000,
      tokensPerMinute: 1_000_000_000_000n,
      concurrency: 100_000,
    },
  });
  const port = Number(new URL(server.proxyUrl).port);
  return {
    name: "latchkey",
    port,
    pid: server.process.pid,
    headers: { authorization: `Bearer ${secret}` },
  };
}

export async function startNginx({ folder, upstreamPort, stops }) {
  if (spawnSync("nginx", ["-v"]).error) {
    console.error("nginx is not installed (Debian: nginx-light); left out");
    return undefined;
  }
  const port = await freePort();
  const home = path.join(folder, "nginx");
  mkdirSync(home);
  const file = path.join(home, "nginx.conf");
  writeFileSync(file, nginxConfig(home, port, upstreamPort));
  const child = spawn("nginx", ["-c", file, "-p", home], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  stops.push(() => child.kill());
  await answers(port);
  return { name: "nginx", port, pid: child.pid, headers: {} };
}

export async function startPortkey({ origin, stops }) {
  let entry;
  try {
    entry = createRequire(import.meta.url).resolve("@portkey-ai/gateway/build/start-server.js");
  } catch {
    console.error(
      "Portkey is not installed (npm install --no-save @portkey-ai/gateway@1.12.2); left out",
    );
    return undefined;
  }
  const port = await freePort();
  const child = spawn(process.execPath, [entry, `--port=${port}`, "--headless"], {
    stdio: "ignore",
  });
  stops.push(() => child.kill());
  await answers(port);
  const headers = { "x-portkey-provider": "openai", "x-portkey-custom-host": `${origin}/v1` };
  return { name: "portkey", port, pid: child.pid, headers };
}

function nginxConfig(home, port, upstreamPort) {
  return `worker_processes 1; daemon off; pid ${home}/pid; error_log ${home}/error.log warn;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 100000000; tcp_nodelay on;
  client_body_temp_path ${home}/body; proxy_temp_path ${home}/proxy; fastcgi_temp_path ${home}/f; uwsgi_temp_path ${home}/u; scgi_temp_path ${home}/s;
  upstream provider { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
      proxy_set_header Authorization "Bearer sk-bench-upstream-0001";
    }
  }
}
`;
}

async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function answers(port) {
  for (let i = 0; i < 100; i++) {
    const socket = net.connect(port, "127.0.0.1");
    const open = await new Promise((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing listens on port ${port}`);
}
