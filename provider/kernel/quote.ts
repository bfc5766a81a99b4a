/** A word for a POSIX shell: nothing in it is expanded. */
export const quote = (text: string): string =>
  /^[A-Za-z0-9_.:/@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
