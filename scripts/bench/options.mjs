/** The value behind `--name` on the command line, as text. */
export function textOption(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
}

export function numberOption(name, fallback) {
  return Number(textOption(name, fallback));
}
