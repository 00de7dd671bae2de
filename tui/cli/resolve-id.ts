import type { DescService } from "@bufbuild/protobuf";
import { ClientKeyService } from "../../proto/gen/latchkey/v1/client_keys_pb.js";
import { ProviderKeyService } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import type { ServiceClient } from "../api/client.js";

type ClientOf = <S extends DescService>(service: S) => ServiceClient<S>;

interface Named {
  readonly id: string;
}

/** How the id behind a name is found. */
interface Noun {
  readonly prefix: string;
  readonly what: string;
  readonly list: string;
  readonly find: (clientOf: ClientOf, name: string) => Promise<readonly Named[]>;
}

const PROVIDERS: Noun = {
  prefix: "prv_",
  what: "provider",
  list: "latchkey providers list",
  find: async (clientOf, name) => {
    const filter = `slug=${quoted(name)}`;
    return (await clientOf(ProviderService).listProviders({ filter })).providers;
  },
};

const USERS: Noun = {
  prefix: "usr_",
  what: "user",
  list: "latchkey users list",
  find: async (clientOf, name) => {
    const filter = `username=${quoted(name)}`;
    return (await clientOf(UserService).listUsers({ filter })).users;
  },
};

const CLIENT_KEYS: Noun = {
  prefix: "ck_",
  what: "client key",
  list: "latchkey client-keys list",
  find: async (clientOf, name) => {
    const filter = `name=${quoted(name)}`;
    return (await clientOf(ClientKeyService).listClientKeys({ filter })).clientKeys;
  },
};

const PROVIDER_KEYS: Noun = {
  prefix: "pk_",
  what: "provider key",
  list: "latchkey provider-keys list",
  find: async (clientOf, name) => {
    const filter = `name=${quoted(name)}`;
    return (await clientOf(ProviderKeyService).listProviderKeys({ filter })).providerKeys;
  },
};

/** Fields that hold ids, and `id` itself by the noun of the command. */
const NOUNS: Readonly<Record<string, Noun>> = {
  provider_id: PROVIDERS,
  owner_id: USERS,
  user_id: USERS,
  client_key_id: CLIENT_KEYS,
  "providers id": PROVIDERS,
  "users id": USERS,
  "client-keys id": CLIENT_KEYS,
  "provider-keys id": PROVIDER_KEYS,
};

/**
 * People say `openai`, `alice` and `ci-bot`; the API wants ids. Text that is an id already, and fields
 * that hold none, come back as they are. Throws an Error that says what was not found or is not unique.
 */
export async function resolveId(
  clientOf: ClientOf,
  noun: string,
  field: string,
  text: string,
): Promise<string> {
  const kind = NOUNS[field] ?? NOUNS[`${noun} ${field}`];
  if (kind === undefined || text === "" || text.startsWith(kind.prefix)) return text;
  const found = await kind.find(clientOf, text);
  const [first] = found;
  const name = `${kind.what} ${JSON.stringify(text)}`;
  if (first === undefined) throw new Error(`there is no ${name}; see \`${kind.list}\``);
  if (found.length > 1) {
    const ids = found.slice(0, 5).map(({ id }) => id);
    throw new Error(`${name} is not the only one; say which by its id: ${ids.join(", ")}`);
  }
  return first.id;
}

function quoted(name: string): string {
  return `"${name.replaceAll(/["\\]/g, "")}"`;
}
