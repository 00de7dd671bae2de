import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "../core/fault.js";
import { type ResolvedAddress, UrlPolicy } from "./url-policy.js";

const open = new UrlPolicy({ allowCidrs: [] });
const local = new UrlPolicy({ allowCidrs: ["127.0.0.0/8", "10.1.0.0/16", "::1"] });

function refused(policy: UrlPolicy, url: string): void {
  assert.throws(
    () => policy.check(url),
    (error) => error instanceof Fault && error.code === "base_url_not_allowed",
    url,
  );
}

test("providers on the public internet are allowed, and told apart by origin and path", () => {
  const url = open.check("https://api.openai.com/v1/?x=1");
  assert.equal(url.origin, "https://api.openai.com");
  assert.equal(url.basePath, "/v1");
  assert.equal(url.query, "x=1");
  for (const each of [
    "https://api.anthropic.com",
    "https://open.bigmodel.cn/api/paas/v4",
    "https://xn--bcher-kva.example",
    "https://8.8.8.8/v1",
    "https://[2606:4700::1111]/v1",
    "https://[2001:4860:4860::8888]/v1",
    "https://[3ffe::1]/v1",
    "https://api.example.com:8443",
  ]) {
    assert.doesNotThrow(() => open.check(each), each);
  }
});

test("addresses inside are refused in every way of writing them", () => {
  const hosts = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.0.0.192",
    "168.63.129.16",
    "100.100.100.200",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "\u{ff11}27.0.0.1",
    "\u{2460}27.0.0.1",
    "127\u{3002}0.0.1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::127.0.0.1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[::ffff:0:169.254.169.254]",
    "[5f00::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[3fff::1]",
    "[4000::1]",
    "[8000::1]",
  ];
  for (const host of hosts) refused(open, `https://${host}/v1`);
});

test("names under which clouds serve credentials are refused without asking a resolver", () => {
  for (const host of [
    "metadata",
    "metadata.google.internal",
    "METADATA.google.internal",
    "instance-data",
    "instance-data.ec2.internal",
    "x.metadata.google.internal",
  ]) {
    refused(open, `https://${host}/`);
    refused(local, `https://${host}/`);
  }
});

test("what is no plain base URL is refused", () => {
  for (const url of [
    "",
    "x",
    "api.openai.com",
    "//api.openai.com",
    "http://api.openai.com",
    "ftp://api.openai.com",
    "file:///etc/passwd",
    "gopher://x",
    "javascript:alert(1)",
    "data:text/plain,x",
    "https://",
    "https://user@api.openai.com",
    "https://user:pw@api.openai.com",
    "https://:pw@api.openai.com",
    "https://api.openai.com#f",
    "https://api.openai.com.",
    "https://api.openai.com:22",
    "https://api.openai.com:6379",
    "https://api.openai.com:80",
    "https://api.openai.com/a b",
    "https://api.openai.com\\@evil.example",
    "https:\\\\evil.example",
    " https://api.openai.com",
    "https://api.openai.com\n",
    "https://a%00b.example",
    "https://[fe80::1%25eth0]/",
    "https://api.openai.com/%2e%2e/x",
    "https://api.openai.com/%2E%2E/x",
    "https://api.openai.com/a%2Fb",
    "https://api.openai.com/a%5Cb",
    "https://api.openai.com/../x",
    "https://api.openai.com/v1/.",
    "https://api.openai.com/a//b",
    "https://api.openai.com/a%2fb",
    "https://api.openai.com/a%5cb",
    "https://exa mple.com",
    "https://-a.example",
    "https://a..b",
    "https://[::1",
    "https://1.2.3.4.5.6",
    "https://256.1.1.1",
    "https://a\u{202e}b.example/\\x",
  ]) {
    refused(open, url);
  }
});

test("what the operator allows is allowed, with any port and without TLS, and nothing else", () => {
  for (const url of [
    "http://127.0.0.1:11434",
    "https://127.0.0.1",
    "http://10.1.2.3:8000/v1",
    "http://[::1]:9",
    "http://[::ffff:127.0.0.1]:9",
    "http://localhost:8080",
  ]) {
    assert.doesNotThrow(() => local.check(url), url);
  }
  for (const url of [
    "http://10.2.0.1",
    "http://192.168.1.1",
    "https://[64:ff9b::7f00:1]",
    "http://8.8.8.8",
    "https://8.8.8.8:22",
    "ftp://127.0.0.1",
    "file://127.0.0.1/etc/passwd",
    "ws://127.0.0.1:8080",
  ])
    refused(local, url);
});

function resolving(policy: { allow: readonly string[]; answers: readonly (readonly string[])[] }) {
  let turn = 0;
  return new UrlPolicy({
    allowCidrs: policy.allow,
    resolve: (_hostname, done) => {
      const answer = policy.answers[Math.min(turn++, policy.answers.length - 1)] ?? [];
      done(
        null,
        answer.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
    },
  });
}

function resolve(policy: UrlPolicy, url: string): Promise<readonly ResolvedAddress[]> {
  return new Promise((done, fail) => {
    policy.resolve(policy.check(url), (error, addresses) => {
      if (error === null) done(addresses);
      else fail(error);
    });
  });
}

test("one bad address among a name's addresses makes the name refused", async () => {
  for (const bad of [
    "127.0.0.1",
    "10.0.0.1",
    "::1",
    "::ffff:192.168.0.1",
    "64:ff9b::a00:1",
    "169.254.169.254",
    "fe80::1%eth0",
    "not an address",
  ]) {
    for (const answer of [[bad], ["8.8.8.8", bad], [bad, "8.8.8.8"]]) {
      const policy = resolving({ allow: [], answers: [answer] });
      await assert.rejects(resolve(policy, "https://rebind.example"), Fault, bad);
    }
  }
  await assert.rejects(
    resolve(resolving({ allow: [], answers: [[]] }), "https://none.example"),
    Fault,
  );
});

test("the addresses that were checked are the ones answered, at every look-up anew", async () => {
  const policy = resolving({ allow: [], answers: [["8.8.8.8", "2606:4700::1111"], ["127.0.0.1"]] });
  assert.deepEqual(await resolve(policy, "https://rebind.example"), [
    { address: "8.8.8.8", family: 4 },
    { address: "2606:4700::1111", family: 6 },
  ]);
  await assert.rejects(resolve(policy, "https://rebind.example"), Fault);
});

test("a name over plain HTTP or at an odd port must lead where the operator allows", async () => {
  const inside = resolving({ allow: ["10.0.0.0/8"], answers: [["10.0.0.5"]] });
  assert.equal(
    (await resolve(inside, "http://ollama.internal.example:11434"))[0]?.address,
    "10.0.0.5",
  );
  const outside = resolving({ allow: ["10.0.0.0/8"], answers: [["8.8.8.8"]] });
  await assert.rejects(resolve(outside, "http://api.example"), Fault);
  await assert.rejects(resolve(outside, "https://api.example:22"), Fault);
  assert.equal((await resolve(outside, "https://api.example"))[0]?.address, "8.8.8.8");
});
