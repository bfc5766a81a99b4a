/** A shell of this machine with a /run of its own: other shells come and go, and look at what lies there. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";

export interface OwnRun {
  /** What starts the shell. */
  readonly inside: readonly string[];
  /** Where a path on that machine lies on this one. */
  outside(path: string): string;
}

export function ownRun(parent: string): OwnRun {
  const run = mkdtempSync(join(parent, "run-"));
  return {
    inside: ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /run && exec "$@"', run],
    outside: (path) => path.replace(/^\/run/, run),
  };
}
