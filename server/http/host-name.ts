import { CharSet } from "./char-set.js";

/** Of a registered name, and of an IPv4 address; what is escaped in it is looked at apart. RFC 3986, 3.2.2. */
const NAME = new CharSet(/[\w.~!$&'()*+,;=%-]/);
/** Between brackets: an IPv6 address, with its zone behind a percent sign, or what may come after it. */
const ADDRESS = new CharSet(/[\w.~!$&'()*+,;=:%-]/);
const DIGITS = new CharSet(/\d/);
const HEX = new CharSet(/[\da-f]/i);
const PERCENT = "%";

/** True for a host with or without a port, as `Host` may say it, and for none. RFC 9110, 7.2. */
export function isHost(value: string): boolean {
  const isLiteral = value.startsWith("[");
  const close = isLiteral ? value.indexOf("]") : -1;
  if (isLiteral && close < 2) return false;
  const colon = value.indexOf(":", close + 1);
  const end = colon < 0 ? value.length : colon;
  if (!DIGITS.isAllOf(value.slice(end + 1))) return false;
  if (isLiteral) return end === close + 1 && ADDRESS.isAllOf(value.slice(1, close));
  const name = value.slice(0, end);
  return NAME.isAllOf(name) && isEscapedWell(name);
}

/** Two digits follow each percent sign. */
function isEscapedWell(name: string): boolean {
  for (let at = name.indexOf(PERCENT); at >= 0; at = name.indexOf(PERCENT, at + 1)) {
    const digits = name.slice(at + 1, at + 3);
    if (digits.length < 2 || !HEX.isAllOf(digits)) return false;
  }
  return true;
}
