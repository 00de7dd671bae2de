import type { HandlerContext } from "@connectrpc/connect";

/** The cookie that a browser sends in place of a session token. */
export const SESSION_COOKIE = "latchkey_session";

/** Hands the session to a browser: no script can read the cookie, and no other site's page can send it. */
export function setSessionCookie(
  context: HandlerContext,
  cookie: { readonly token: string; readonly expiresAt: number; readonly secure: boolean },
): void {
  if (!isBrowserProtocol(context)) return;
  const expires = new Date(cookie.expiresAt).toUTCString();
  append(context, `${SESSION_COOKIE}=${cookie.token}; Expires=${expires}`, cookie.secure);
}

/** Takes the cookie away again. */
export function clearSessionCookie(context: HandlerContext, secure: boolean): void {
  if (isBrowserProtocol(context)) append(context, `${SESSION_COOKIE}=; Max-Age=0`, secure);
}

function append(context: HandlerContext, cookie: string, secure: boolean): void {
  const attributes = `Path=/; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;
  context.responseHeader.append("set-cookie", `${cookie}; ${attributes}`);
}

/** Browsers speak Connect or gRPC-Web; a cookie in answer to plain gRPC would only be one more copy. */
function isBrowserProtocol(context: HandlerContext): boolean {
  return context.protocolName !== "grpc";
}
