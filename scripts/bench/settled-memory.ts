import { readFileSync } from "node:fs";
import { WebSocket } from "undici";

/** Collections in a row; what one finds free lets the next one free more. */
const COLLECTIONS = 3;
const LISTENING = /Debugger listening on (ws:\/\/\S+)/;

/** The argument that lets a process of Node be looked into, on a free port of this host. */
export const INSPECTED = "--inspect=127.0.0.1:0";

/** What a process holds once everything has been collected that nobody needs, in MiB. */
export interface SettledMemory {
  readonly heapMib: number;
  /** With the space that was freed and not given back to the system. */
  readonly residentMib: number;
}

/**
 * Looks at the memory of another process. What it holds in between is mostly garbage, and how much of that is a
 * matter of how fast it works: a slope can only be seen in what a full collection leaves.
 */
export class MemoryProbe {
  readonly #socket: WebSocket;
  readonly #pid: number;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #sent = 0;

  constructor(socket: WebSocket, pid: number) {
    this.#socket = socket;
    this.#pid = pid;
    socket.addEventListener("message", ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown };
      this.#waiting.get(id)?.(result);
      this.#waiting.delete(id);
    });
  }

  async settled(): Promise<SettledMemory> {
    for (let i = 0; i < COLLECTIONS; i++) await this.#ask("HeapProfiler.collectGarbage");
    const { usedSize } = (await this.#ask("Runtime.getHeapUsage")) as { usedSize: number };
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    const residentKib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
    return { heapMib: usedSize / 2 ** 20, residentMib: residentKib / 1024 };
  }

  close(): void {
    this.#socket.close();
  }

  #ask(method: string): Promise<unknown> {
    const id = (this.#sent += 1);
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method }));
    });
  }
}

/** Connects to a process that was started with `INSPECTED`, given its id and what it has written to standard error. */
export async function probeMemory(pid: number, log: string): Promise<MemoryProbe> {
  const url = LISTENING.exec(log)?.[1];
  if (url === undefined) throw new Error("the process cannot be looked into");
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener("open", () => resolve());
    socket.addEventListener("error", ({ message }) => reject(new Error(message)));
  });
  return new MemoryProbe(socket, pid);
}
