/**
 * After how long without a packet the system asks whether the other side is still there, which also keeps the
 * connection known to the firewalls on its way. Left to itself it first asks after two hours.
 */
export const TCP_KEEP_ALIVE_MS = 60_000;
