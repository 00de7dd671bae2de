/** The value behind `--name` on the command line, as text. */
export function textOption(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
}

export function numberOption(name, fallback) {
  const value = Number(textOption(name, fallback));
  if (!Number.isFinite(value) || value < 0) {
    process.stderr.write(`--${name} needs a number\n`);
    process.exit(2);
  }
  return value;
}
