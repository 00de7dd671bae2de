import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "../../core/fault.js";
import type { OtlpAttribute } from "./otlp.js";
import { readTraceConfig } from "./trace-config.js";

type Options = Parameters<typeof readTraceConfig>[0];

function read(env: Options["env"], endpoint = "") {
  return readTraceConfig({ endpoint, sampleRatio: 1, version: "1.2.3", instanceId: "i-1", env });
}

function valueOf(resource: readonly OtlpAttribute[], key: string): unknown {
  return resource.find((each) => each.key === key)?.value;
}

test("without an endpoint nothing is traced", () => {
  assert.equal(read({}), undefined);
  assert.equal(read({ OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_SERVICE_NAME: "x" }), undefined);
  assert.equal(read({ OTEL_SDK_DISABLED: "TRUE" }, "http://127.0.0.1:4318"), undefined);
});

test("the option comes before the variables, and only the variable of traces is taken as it stands", () => {
  const base = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://base:4318/" };
  const own = { ...base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://own.example/in" };
  assert.equal(read(base)?.url, "http://base:4318/v1/traces");
  assert.equal(read(own)?.url, "https://own.example/in");
  assert.equal(read(own, "http://option:1/otlp")?.url, "http://option:1/otlp/v1/traces");
});

test("headers are decoded, those of traces win, and the content type is ours", () => {
  const config = read({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://base:4318",
    OTEL_EXPORTER_OTLP_HEADERS: "Authorization=Bearer%20abc, x-tenant=one,content-type=text/plain",
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: "x-tenant=two",
    OTEL_EXPORTER_OTLP_TIMEOUT: "2500",
  });
  assert.deepEqual(config?.headers, {
    authorization: "Bearer abc",
    "x-tenant": "two",
    "content-type": "application/json",
  });
  assert.equal(config?.timeoutMs, 2500);
});

test("the resource names the service, and the variables may rename it", () => {
  const endpoint = "http://base:4318";
  const own = read({}, endpoint)!.resource;
  assert.deepEqual(valueOf(own, "service.name"), { stringValue: "latchkey" });
  assert.deepEqual(valueOf(own, "service.version"), { stringValue: "1.2.3" });
  const OTEL_RESOURCE_ATTRIBUTES =
    "deployment.environment.name=test%2Ctwo,service.name=a,service.instance.id=pod-7";
  const renamed = read({ OTEL_RESOURCE_ATTRIBUTES, OTEL_SERVICE_NAME: "b" }, endpoint)!.resource;
  assert.deepEqual(valueOf(renamed, "service.name"), { stringValue: "b" });
  assert.deepEqual(valueOf(renamed, "service.instance.id"), { stringValue: "pod-7" });
  assert.deepEqual(valueOf(renamed, "deployment.environment.name"), { stringValue: "test,two" });
  assert.equal(new Set(renamed.map(({ key }) => key)).size, renamed.length);
});

test("a value that is not allowed is refused by its name, and never repeated", () => {
  const on = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://base:4318" };
  for (const [name, value] of [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:s3cret@base:4318"],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://s3cret"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "authorization s3cret"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret%0d%0ax: y"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "authorization=s3cret%zz"],
    ["OTEL_RESOURCE_ATTRIBUTES", "s3cret"],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", "s3cret"],
  ] as const) {
    assert.throws(
      () => read({ ...on, [name]: value }),
      (error) =>
        error instanceof Fault &&
        error.code === "config_invalid" &&
        error.publicMessage.includes(name) &&
        !error.publicMessage.includes("s3cret"),
      `${name}=${value}`,
    );
  }
});
