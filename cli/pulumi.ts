/** The Pulumi CLI, for the state of the stack whose project stands in this folder. */
import { execFile } from "node:child_process";

import { isObject } from "../provider/wire";
import { stateError } from "./state";

/** Runs `pulumi ...` and answers with what it prints. */
export type Pulumi = (...args: string[]) => Promise<string>;

const AS_FILE = "run this where the project is, or give the state with --state FILE";

export const pulumi: Pulumi = (...args) =>
  new Promise((resolve, reject) => {
    const shown = `pulumi ${args.join(" ")}`;
    execFile("pulumi", ["--non-interactive", ...args], { maxBuffer: 1 << 30 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else if (error.code === "ENOENT")
        reject(stateError("there is no pulumi on the PATH", "install the Pulumi CLI, or use --state FILE", error));
      else {
        const said = stderr.trim() === "" ? `it ended with ${String(error.code ?? error.signal)}` : stderr.trim();
        reject(stateError(`${shown}: ${said}`, AS_FILE, error));
      }
    });
  });

const chosen = (stack: string | undefined): string[] => (stack === undefined ? [] : ["--stack", stack]);

/** Secrets in it are encrypted. */
export const exportState = (run: Pulumi, stack: string | undefined): Promise<string> =>
  run("stack", "export", ...chosen(stack));

/** `project/stack`, for a state without resources: nothing in it says whose it is. */
export async function stackName(run: Pulumi, stack: string | undefined): Promise<string> {
  const about: unknown = JSON.parse(await run("about", "--json", ...chosen(stack)));
  const { fullyQualifiedName: name } = isObject(about) && isObject(about.currentStack) ? about.currentStack : {};
  const parts = typeof name === "string" ? name.split("/") : [];
  if (parts.length < 2)
    throw stateError("pulumi about does not say which stack this is", "name it: --state FILE --stack PROJECT/STACK");
  return parts.slice(-2).join("/");
}
