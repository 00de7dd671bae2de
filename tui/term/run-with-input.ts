import { spawn } from "node:child_process";
import type { RunWithInput } from "./clipboard.js";

/** A clipboard program that hangs must not hold the dashboard up, in milliseconds. */
const programTimeoutMs = 2000;

/** Starts real programs. Their output is dropped: it would be drawn over the screen. */
export const runWithInput: RunWithInput = (command, args, input) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      stdio: ["pipe", "ignore", "ignore"],
      timeout: programTimeoutMs,
    });
    child.on("error", () => resolve(false));
    child.on("exit", (code) => resolve(code === 0));
    // A program that ends without reading closes the pipe; its exit code tells the rest.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
