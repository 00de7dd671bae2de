/**
 * The parts of Node that every server uses, or a library of it. Node brings their compiled code along, which V8 takes
 * only while its flags are those that it began with: loaded after a change they are compiled anew, for 25 ms of CPU
 * and most of a megabyte.
 */
/* oxlint-disable no-restricted-imports -- they are loaded here and used elsewhere */
import "node:assert";
import "node:async_hooks";
import "node:child_process";
// A socket that listens asks it whether it is one of several processes.
import "node:cluster";
import "node:crypto";
import "node:dns";
import "node:events";
import "node:fs/promises";
import "node:http2";
import "node:https";
import "node:module";
import "node:net";
import "node:os";
import "node:perf_hooks";
import "node:process";
import "node:stream/promises";
import "node:timers/promises";
import "node:tls";
import "node:tty";
import "node:url";
import "node:util";
import "node:vm";
import "node:worker_threads";
import "node:zlib";
