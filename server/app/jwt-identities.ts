import type { Identities as ControlIdentities } from "../control/authenticate.js";
import { Fault } from "../core/fault.js";
import type { Identities } from "../keys/identities.js";
import type { Foundation } from "./foundation.js";

/**
 * Signing in with the JWTs of the configured issuer; undefined without one. An account of that name must
 * be here already. Throws Fault `config_invalid` for an issuer without an audience.
 */
export async function jwtIdentities(
  { config, clock, httpGet }: Foundation,
  identities: Identities,
): Promise<ControlIdentities["byJwt"]> {
  const { oidcIssuer: issuer, oidcAudience: audience } = config;
  if (issuer === "" && audience === "") return undefined;
  if (issuer === "" || audience === "") {
    throw new Fault(
      "config_invalid",
      "--oidc-issuer and --oidc-audience belong together; give both.",
    );
  }
  // Loaded with an issuer alone, for jose takes 3 MiB.
  const { JwtVerifier } = await import("../control/jwt.js");
  const verifier = new JwtVerifier({
    issuer,
    audience,
    jwksUrl: config.oidcJwksUrl === "" ? undefined : config.oidcJwksUrl,
    algorithms: config.oidcAlgorithms,
    clockToleranceSeconds: config.oidcClockToleranceSeconds,
    nameClaim: config.oidcNameClaim,
    httpGet,
    clock,
  });
  return async (token, ip) => identities.byVerifiedName(await verifier.nameOf(token), ip);
}
