import { ProviderService } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { UserService } from "../../proto/gen/latchkey/v1/users_pb.js";
import type { ServiceClient } from "../api/client.js";
import type { DescService } from "@bufbuild/protobuf";

type ClientOf = <S extends DescService>(service: S) => ServiceClient<S>;

/** People say `openai` and `alice`; the API wants ids. Throws an Error that says what was not found. */
export async function resolveId(clientOf: ClientOf, field: string, text: string): Promise<string> {
  if (field === "provider_id" && !text.startsWith("prv_")) {
    const { providers } = await clientOf(ProviderService).listProviders({ filter: `slug=${text}` });
    return onlyId(providers, `provider ${JSON.stringify(text)}`, "latchkey providers list");
  }
  if (field === "owner_id" && !text.startsWith("usr_")) {
    const { users } = await clientOf(UserService).listUsers({ filter: `username=${text}` });
    return onlyId(users, `user ${JSON.stringify(text)}`, "latchkey users list");
  }
  return text;
}

function onlyId(found: readonly { id: string }[], what: string, remedy: string): string {
  const [first] = found;
  if (first === undefined) throw new Error(`there is no ${what}; see \`${remedy}\``);
  return first.id;
}
