/** A shell on this machine, or inside what a command such as `ip netns exec lb1` puts it into. */
import { spawn } from "node:child_process";

import { type Shell, SHELL_ARGV, openShell } from "./shell";

export function openLocal(host: string, inside: readonly string[] = []): Promise<Shell> {
  const [command = "sh", ...args] = [...inside, ...SHELL_ARGV];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  return openShell(host, {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    onEnd: (done) => {
      child.on("error", (error) => {
        done(error.message);
      });
      child.on("close", (code, signal) => {
        done(`ended with ${signal ?? code?.toString() ?? "nothing"}`);
      });
    },
    close: () => undefined, // The end of its input ends it.
  });
}
