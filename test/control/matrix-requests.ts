import { randomUUID } from "node:crypto";
import { ProviderKey_Visibility } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { Rewrite_Kind } from "../../proto/gen/latchkey/v1/providers_pb.js";

/** Things of Alice's, and a user who is nobody's. */
export interface Target {
  /** Alice herself. */
  readonly ownerId: string;
  /** A user to change, ban and delete. */
  readonly victimId: string;
  readonly providerId: string;
  readonly providerKeyId: string;
  readonly clientKeyId: string;
  readonly callId: string;
}

/** Who calls, as far as requests need it. */
export interface Self {
  readonly username: string;
  readonly password: string;
}

type Make = (target: Target, self: Self) => object;

const OPENAI = "prv_openai";
const fresh = (prefix: string): string => `${prefix}-${randomUUID().slice(0, 13)}`;
const secret = (): string => `sk-${randomUUID()}`;
const providerKey: Make = ({ providerKeyId: id }) => ({ id });
const clientKey: Make = ({ clientKeyId: id }) => ({ id });
const victim: Make = ({ victimId: id }) => ({ id });

/** RPCs that name something of Alice's: whoever may not see it must be told that it does not exist. */
export const TARGETED: Readonly<Record<string, Make>> = {
  "UserService/GetUser": ({ ownerId: id }) => ({ id }),
  "ProviderService/GetProvider": ({ providerId: id }) => ({ id }),
  "ProviderService/UpdateProvider": ({ providerId: id }) => ({ id, description: "changed" }),
  "ProviderService/DeleteProvider": ({ providerId: id }) => ({ id }),
  "ProviderService/UpsertModels": ({ providerId }) => ({
    providerId,
    models: [{ modelId: "m-1" }],
  }),
  "ProviderService/DeleteModels": ({ providerId }) => ({ providerId, modelIds: ["m-1"] }),
  "ProviderKeyService/GetProviderKey": providerKey,
  "ProviderKeyService/UpdateProviderKey": ({ providerKeyId: id }) => ({ id, description: "x" }),
  "ProviderKeyService/RotateProviderKey": ({ providerKeyId: id }) => ({ id, secret: secret() }),
  "ProviderKeyService/DeleteProviderKey": providerKey,
  "ProviderKeyService/EnableProviderKey": providerKey,
  "ProviderKeyService/DisableProviderKey": providerKey,
  "ProviderKeyService/SetProviderKeyVisibility": ({ providerKeyId: id }) => ({
    id,
    visibility: ProviderKey_Visibility.PUBLIC,
  }),
  "ProviderKeyService/TestProviderKey": ({ providerKeyId }) => ({
    target: { case: "id", value: providerKeyId },
  }),
  "ProviderKeyService/TestProviderKeys": ({ providerKeyId }) => ({ ids: [providerKeyId] }),
  "ProviderKeyService/GetProviderKeyHealth": providerKey,
  "ProviderKeyService/CheckProviderKeyHealth": providerKey,
  "ProviderKeyService/DiagnoseProviderKey": providerKey,
  "ProviderKeyService/GetProviderKeyUsage": providerKey,
  "ProviderKeyService/RevealProviderKey": ({ providerKeyId: id }, { password }) => ({
    id,
    password,
  }),
  "ClientKeyService/GetClientKey": clientKey,
  "ClientKeyService/UpdateClientKey": ({ clientKeyId: id }) => ({ id, description: "x" }),
  "ClientKeyService/EnableClientKey": clientKey,
  "ClientKeyService/DisableClientKey": clientKey,
  "ClientKeyService/RevokeClientKey": clientKey,
  "ClientKeyService/RotateClientKey": clientKey,
  "ClientKeyService/DeleteClientKey": clientKey,
  "ClientKeyService/GetClientKeyStats": clientKey,
  "ClientKeyService/RevealClientKey": ({ clientKeyId: id }, { password }) => ({ id, password }),
  "PoolService/ExplainAllocation": ({ clientKeyId }) => ({
    clientKeyId,
    model: "gpt-4o",
  }),
  "CallService/GetCall": ({ callId: id }) => ({ id }),
};

/** What the other RPCs need to be valid; nothing where it is not here. */
export const UNTARGETED: Readonly<Record<string, Make>> = {
  "SessionService/Register": () => ({ username: fresh("reg"), password: "a password" }),
  "SessionService/Login": (_target, { username, password }) => ({ username, password }),
  "SessionService/ChangePassword": (_target, { password }) => ({
    currentPassword: password,
    // The same again is refused, but only to who may change it at all.
    newPassword: password,
  }),
  "UserService/CreateUser": () => ({ username: fresh("new"), password: "a password" }),
  "UserService/UpdateUser": ({ victimId: id }) => ({ id, trustLevel: 1 }),
  "UserService/BanUser": victim,
  "UserService/UnbanUser": victim,
  "UserService/DisableUser": victim,
  "UserService/EnableUser": victim,
  "UserService/ResetPassword": ({ victimId: id }) => ({ id, newPassword: "another one" }),
  "UserService/DeleteUser": victim,
  "ProviderService/CreateProvider": () => ({
    displayName: fresh("Provider"),
    baseUrl: "https://llm.example.com",
  }),
  "ProviderService/SetRewrite": () => ({
    kind: Rewrite_Kind.ALIAS,
    name: "fast",
    targets: ["gpt-4o-mini"],
  }),
  "ProviderService/DeleteRewrite": () => ({ kind: Rewrite_Kind.ALIAS, name: "fast" }),
  "ProviderKeyService/CreateProviderKey": () => ({
    providerId: OPENAI,
    secret: secret(),
    name: fresh("key"),
  }),
  "ProviderKeyService/ImportProviderKeys": () => ({
    content: Buffer.from(`OPENAI_API_KEY=${secret()}`),
  }),
  "ClientKeyService/CreateClientKey": () => ({ name: "another" }),
  "ClientKeyService/CreateSuperClientKey": ({ ownerId }) => ({ ownerId, name: "super" }),
  "ClientKeyService/ImportClientKeys": () => ({
    keys: [{ name: "old", credential: { case: "secret", value: secret() } }],
  }),
  "PoolService/SetAllocation": () => ({ allocation: {} }),
  "SystemService/Unlock": () => ({ passphrase: "open" }),
  "SystemService/UpdateSettings": () => ({ settings: {} }),
  "SystemService/Backup": () => ({ path: "" }),
};
