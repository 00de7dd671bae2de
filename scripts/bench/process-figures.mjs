// CPU time and memory of a process with its children, from /proc. Linux only, as the benches are.
import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks of /proc/PID/stat a second; 100 on every Linux that Node runs on. */
const TICKS = 100;

/** User and system time of a process tree so far, microseconds. */
export function cpuMicros(pid) {
  return treeOf(pid).reduce((sum, each) => sum + ticksOf(each), 0) * (1_000_000 / TICKS);
}

/** Resident memory of a process tree, MiB. */
export function residentMiB(pid) {
  const kib = treeOf(pid).map((each) =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${each}/status`, "utf8"))?.[1] ?? 0),
  );
  return kib.reduce((sum, each) => sum + each, 0) / 1024;
}

function ticksOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The command in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

function treeOf(pid) {
  const found = [pid];
  for (const each of found) {
    for (const task of readdirSync(`/proc/${each}/task`)) {
      const children = readFileSync(`/proc/${each}/task/${task}/children`, "utf8").trim();
      if (children !== "") found.push(...children.split(" ").map(Number));
    }
  }
  return found;
}
