/**
 * What other files of the host say of the values that we hold. They are not ours to change: at boot ours come after
 * theirs, but who runs `sysctl --system` brings theirs back, and should know it. sysctl.d(5) has the order.
 */
import { canonicalValue } from "../kernel/sysctl/sysctl";

const FOLDERS = ["/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d"];
/** Debian reads it as the link 99-sysctl.conf says. */
const SINGLE = "/etc/sysctl.conf";

export const FILES_LOOK = `grep -sHE "^[[:space:]]*-?[^#;[:space:]][^=]*=" ${FOLDERS.map((f) => `${f}/*.conf`).join(" ")} ${SINGLE}`;

export interface Setting {
  readonly file: string;
  readonly value: string;
}

interface Entry extends Setting {
  readonly matches: (key: string) => boolean;
}

/** The last of those that say something of a key, by the order in which they are read. */
export class SysctlFiles {
  private readonly entries: readonly Entry[];

  constructor(lines: readonly string[]) {
    const found = lines.flatMap((line) => {
      const [, file, key, value] = /^(\/[^:]+):\s*-?([^=]+?)\s*=\s*(.*)$/.exec(line) ?? [];
      return file === undefined || key === undefined || value === undefined ? [] : [{ file, key, value }];
    });
    const name = (file: string) => (file === SINGLE ? "99-sysctl.conf" : file.slice(file.lastIndexOf("/") + 1));
    const folder = (file: string) => FOLDERS.indexOf(file.slice(0, file.lastIndexOf("/")));
    // Of two files with one name, that of the earlier folder alone is read.
    const first = new Map<string, string>();
    for (const { file } of found.toSorted((a, b) => folder(a.file) - folder(b.file)))
      if (!first.has(name(file))) first.set(name(file), file);
    this.entries = found
      .filter(({ file }) => first.get(name(file)) === file)
      .toSorted((a, b) => (name(a.file) < name(b.file) ? -1 : name(a.file) > name(b.file) ? 1 : 0))
      .map(({ file, key, value }) => ({ file, value: canonicalValue(value), matches: matcher(dotted(key)) }));
  }

  of(key: string): Setting | undefined {
    return this.entries.findLast((e) => e.matches(key));
  }
}

/** The first separator tells which one is meant: `net/ipv4/conf/eth0.100/rp_filter`. */
const dotted = (key: string): string =>
  /^[^./]*\//.test(key) ? key.replace(/[./]/g, (c) => (c === "/" ? "." : "/")) : key;

function matcher(pattern: string): (key: string) => boolean {
  if (!/[*?]/.test(pattern)) return (key) => key === pattern;
  const text = pattern.replace(/[\\^$+{}()|[\]]/g, "\\$&").replace(/[.]/g, "[.]");
  const whole = new RegExp(`^${text.replace(/[*]/g, "[^.]*").replace(/[?]/g, "[^.]")}$`);
  return (key) => whole.test(key);
}
