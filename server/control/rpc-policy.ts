/**
 * RPCs that need no identity: signing in, and what probes and command lines ask before they have one.
 * Every other RPC is refused without a credential; what a credential may do is the permission table's
 * business, which each use case asks.
 */
export const PUBLIC_METHODS: ReadonlySet<string> = new Set([
  "latchkey.v1.SessionService/Register",
  "latchkey.v1.SessionService/Login",
  "grpc.health.v1.Health/Check",
  "grpc.health.v1.Health/Watch",
  "grpc.health.v1.Health/List",
  "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]);
