/** Errors are values with a cause: what was tried, for which resource, where, what the tool said, what to do. */

export interface Problem {
  /** What was tried, e.g. `apply`. */
  readonly tried: string;
  /** The resource as people know it. */
  readonly resource?: string;
  readonly host: string;
  /** What went wrong: the tool's own words where there are any. */
  readonly reason: string;
  /** What somebody can do about it. */
  readonly remedy?: string;
  /** What became of the host, e.g. `nothing was changed`. */
  readonly outcome?: string;
}

export class HostError extends Error {
  override readonly name = "HostError";
  constructor(
    readonly problem: Problem,
    cause?: unknown,
  ) {
    super(tell(problem), { cause });
    // Pulumi prints the stack of what a read or a delete throws: it is written for users, who have no use for ours.
    this.stack = this.message;
  }
}

function tell(p: Problem): string {
  return [
    `${p.tried}${p.resource === undefined ? "" : ` ${p.resource}`} on ${p.host}: ${p.reason.trim()}`,
    ...(p.outcome === undefined ? [] : [`  outcome: ${p.outcome}`]),
    ...(p.remedy === undefined ? [] : [`  to do:   ${p.remedy}`]),
  ].join("\n");
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
