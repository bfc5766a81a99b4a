/** One command of a transaction, for tools that know no transactions of their own. */
export interface Step {
  /** The object it is for: an error names it. */
  readonly id: string;
  /** A POSIX shell command; its exit status and standard error tell whether and why it failed. */
  readonly run: string;
  /**
   * Leads back. It may run although `run` failed, was cut off or never ran, so it must do no harm then: it makes sure of
   * the old state rather than reversing a change.
   */
  readonly back: string;
}
