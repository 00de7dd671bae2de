import { Secret } from "../../core/secret.js";
import { NOBODY, type People, type UseCases } from "./world.js";

/** Makes one of everything, so that each mutation has something to change. */
export async function prepare<W extends UseCases>(world: W & People) {
  const { alice, root } = world;
  await world.settings.update(root, { registrationEnabled: true });
  const provider = await world.providers.create(root, {
    displayName: "House",
    baseUrl: "https://house.test",
  });
  const empty = await world.providers.create(root, { displayName: "E", baseUrl: "https://e.test" });
  const draft = (name: string) => ({
    providerId: provider.id,
    name,
    secret: new Secret(`secret-${name}-000000`),
  });
  const providerKey = await world.providerKeys.create(alice, draft("one"));
  const disabled = await world.providerKeys.create(alice, { ...draft("off"), enabled: false });
  const { clientKey } = await world.clientKeys.create(alice, { name: "a", recoverable: true });
  const off = await world.clientKeys.create(alice, { name: "off", enabled: false });
  await world.byorKeys.get(alice);
  const { session } = await world.sessions.login(NOBODY, "alice", new Secret("alice 1234"));
  const stopped = await world.users.create(root, { username: "stopped" });
  await world.users.ban(root, stopped.id);
  await world.rewrites.set(root, { kind: "FALLBACK", name: "claude-*", targets: ["gpt-4o"] });
  const idle = await world.users.create(root, { username: "idle" });
  await world.users.disable(root, idle.id);
  return {
    ...world,
    draft,
    ids: {
      alice: alice.userId ?? "",
      bob: world.bob.userId ?? "",
      provider: provider.id,
      empty: empty.id,
      providerKey: providerKey.id,
      disabled: disabled.id,
      clientKey: clientKey.id,
      off: off.clientKey.id,
      session: session.id,
      stopped: stopped.id,
      idle: idle.id,
    },
  };
}

type Prepared = Awaited<ReturnType<typeof prepare<UseCases>>>;

/** Every mutation there is, by the verb under which it is audited. */
export const MUTATIONS: Readonly<Record<string, (world: Prepared) => Promise<unknown>>> = {
  "session.register": ({ users }) =>
    users.register(NOBODY, { username: "new", password: new Secret("a password") }),
  "session.login": ({ sessions }) => sessions.login(NOBODY, "bob", new Secret("bob 1234")),
  "session.logout": ({ sessions, alice, ids }) => sessions.logout(alice, ids.session),
  "session.change_password": ({ sessions, alice }) =>
    sessions.changePassword(
      alice,
      { current: new Secret("alice 1234"), next: new Secret("new password") },
      null,
    ),
  "session.confirm_password": ({ sessions, alice }) =>
    sessions.confirm({ ...alice, via: "SESSION" }, new Secret("alice 1234")),
  "user.create": ({ users, root }) => users.create(root, { username: "new" }),
  "user.update": ({ users, root, ids }) => users.update(root, ids.bob, { trustLevel: 5 }),
  "user.ban": ({ users, root, ids }) => users.ban(root, ids.alice),
  "user.unban": ({ users, root, ids }) => users.unban(root, ids.stopped),
  "user.disable": ({ users, root, ids }) => users.disable(root, ids.alice),
  "user.enable": ({ users, root, ids }) => users.enable(root, ids.idle),
  "user.reset_password": ({ users, root, ids }) =>
    users.resetPassword(root, ids.alice, new Secret("new password")),
  "user.delete": ({ users, root, ids }) => users.delete(root, ids.alice),
  "provider.create": ({ providers, alice }) =>
    providers.create(alice, { displayName: "N", baseUrl: "https://n.test" }),
  "provider.update": ({ providers, root, ids }) =>
    providers.update(root, ids.provider, { baseUrl: "https://moved.test" }),
  "provider.delete": ({ providers, root, ids }) => providers.delete(root, ids.empty),
  "model.upsert": ({ models, root, ids }) => models.upsert(root, ids.empty, [{ modelId: "m" }]),
  "model.delete": ({ models, root }) => models.delete(root, "prv_openai", ["gpt-4o"]),
  "provider_key.create": ({ providerKeys, alice, draft }) =>
    providerKeys.create(alice, draft("two")),
  "provider_key.import": ({ providerKeyImport, alice }) =>
    providerKeyImport.importAll(alice, { content: "OPENAI_API_KEY=sk-import-0001" }),
  "provider_key.update": ({ providerKeys, alice, ids }) =>
    providerKeys.update(alice, ids.providerKey, { weight: 5 }),
  "provider_key.rotate": ({ providerKeys, alice, ids }) =>
    providerKeys.rotate(alice, ids.providerKey, new Secret("another-secret")),
  "provider_key.enable": ({ providerKeys, alice, ids }) => providerKeys.enable(alice, ids.disabled),
  "provider_key.disable": ({ providerKeys, alice, ids }) =>
    providerKeys.disable(alice, ids.providerKey),
  "provider_key.set_visibility": ({ providerKeys, alice, ids }) =>
    providerKeys.setVisibility(alice, ids.providerKey, "PUBLIC", false),
  "provider_key.delete": ({ providerKeys, alice, ids }) =>
    providerKeys.delete(alice, ids.providerKey),
  "provider_key.reveal": ({ providerKeys, alice, ids }) =>
    providerKeys.reveal(alice, ids.providerKey),
  "client_key.create": ({ clientKeys, alice }) => clientKeys.create(alice, { name: "b" }),
  "client_key.create_super": ({ clientKeys, root, ids }) =>
    clientKeys.createSuper(root, { name: "s", ownerId: ids.bob }),
  "client_key.import": ({ clientKeyImport, root }) =>
    clientKeyImport.importAll(root, { kind: "STANDARD" }, [
      { name: "old", token: new Secret("old-static-token-1") },
    ]),
  "client_key.update": ({ clientKeys, alice, ids }) =>
    clientKeys.update(alice, ids.clientKey, { name: "b" }),
  "client_key.enable": ({ clientKeys, alice, ids }) => clientKeys.enable(alice, ids.off),
  "client_key.disable": ({ clientKeys, alice, ids }) => clientKeys.disable(alice, ids.clientKey),
  "client_key.revoke": ({ clientKeys, alice, ids }) => clientKeys.revoke(alice, ids.clientKey),
  "client_key.rotate": ({ clientKeys, alice, ids }) =>
    clientKeys.rotate(alice, ids.clientKey, { graceMs: 1000 }),
  "client_key.delete": ({ clientKeys, alice, ids }) => clientKeys.delete(alice, ids.clientKey),
  "client_key.reveal": ({ clientKeys, alice, ids }) => clientKeys.reveal(alice, ids.clientKey),
  "client_key.get_byor": ({ byorKeys, bob }) => byorKeys.get(bob),
  "client_key.refresh_byor": ({ byorKeys, alice }) => byorKeys.refresh(alice),
  "rewrite.set": ({ rewrites, root }) =>
    rewrites.set(root, { kind: "ALIAS", name: "fast", targets: ["gpt-4o-mini"] }),
  "rewrite.delete": ({ rewrites, root }) => rewrites.delete(root, "FALLBACK", "claude-*"),
  "system.update_settings": ({ settings, root }) => settings.update(root, { lockoutMinutes: 5 }),
  "pool.set_allocation": ({ settings, root }) =>
    settings.putDocument(root, "pool.set_allocation", {
      id: "pool.allocation",
      value: "{}",
      changedFields: ["strategy"],
    }),
};
