import { isIP, type Socket } from "node:net";
import tls from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";

type Connect = ChannelCredentials["_createSecureConnector"];
type Connector = ReturnType<Connect>;

/** The IP address that a target names, without its port; undefined for a host's name. */
export function ipAddressOf(target: string): string | undefined {
  const host = /^\[(.*)\](?::\d+)?$/.exec(target)?.[1] ?? target.replace(/:\d+$/, "");
  return isIP(host) === 0 ? undefined : host;
}

/**
 * TLS to a server that is named by its IP address. gRPC's own would send the address as the name of the server, which
 * TLS forbids and Node warns of at each start; here none is sent, and the certificate is checked for the address.
 */
export class AddressCredentials extends ChannelCredentials {
  readonly #address: string;
  readonly #secureContext: tls.SecureContext;

  constructor(address: string, ca: Buffer | undefined) {
    super();
    this.#address = address;
    this.#secureContext = tls.createSecureContext({ ca });
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(...[, , callCredentials]: Parameters<Connect>): Connector {
    const given = callCredentials ?? CallCredentials.createEmpty();
    return {
      connect: (socket) => this.#secured(socket),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => given,
      destroy: () => undefined,
    };
  }

  #secured(socket: Socket): ReturnType<Connector["connect"]> {
    return new Promise((resolve, reject) => {
      const secured = tls.connect({
        socket,
        host: this.#address,
        secureContext: this.#secureContext,
        ALPNProtocols: ["h2"],
      });
      secured.once("secureConnect", () => resolve({ socket: secured, secure: true }));
      secured.on("error", reject);
    });
  }
}
