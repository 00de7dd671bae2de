/** The number behind `--name`, or `fallback`; ends the process with a sentence when it is none. */
export function numberOption(argv: readonly string[], name: string, fallback: number): number {
  const at = argv.indexOf(`--${name}`);
  if (at < 0) return fallback;
  const value = Number(argv[at + 1]);
  if (!Number.isFinite(value) || value < 0) {
    process.stderr.write(`--${name} needs a number\n`);
    process.exit(2);
  }
  return value;
}

/** The word behind `--name`; undefined when it is not there. */
export function textOption(argv: readonly string[], name: string): string | undefined {
  const at = argv.indexOf(`--${name}`);
  return at < 0 ? undefined : argv[at + 1];
}

/** Median, least and most of some rounds, as cells of a table. */
export function figures(rounds: readonly number[]): string[] {
  const sorted = rounds.toSorted((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  return [median, sorted[0] ?? 0, sorted.at(-1) ?? 0].map((value) => shown(value));
}

/** A figure with as many digits as say something. */
export function shown(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return value.toFixed(Math.abs(value) >= 100 ? 0 : 1);
}

/** Prints rows under a head, the first column to the left and the others to the right. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  for (const row of all) {
    const cells = widths.map((width, column) => {
      const cell = row[column] ?? "";
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    });
    process.stdout.write(`${cells.join("  ").trimEnd()}\n`);
  }
}
