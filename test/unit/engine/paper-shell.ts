/** A shell that answers as a test has written it down, and notes what it is asked. */
import { type Snapshot } from "../../../provider/engine/snapshot";
import { HostError } from "../../../provider/errors";
import { type Reply, type Shell } from "../../../provider/host/shell";
import { printAnswer } from "./paper-host";

/** No answer: the connection ends. */
export const LOST = Symbol("lost");

/** What is asked, as in a trace, and what comes of it. */
export type Scene = readonly [what: string, answer: Reply | Snapshot | string | typeof LOST];

interface Asked {
  readonly what: string;
  readonly script: string;
  readonly seconds: number | undefined;
}

export class PaperShell implements Shell {
  readonly host = "lb1";
  readonly asked: Asked[] = [];
  alive = true;
  closed = false;
  private readonly scenes: Scene[];

  constructor(...scenes: readonly Scene[]) {
    this.scenes = [...scenes];
  }

  run(script: string, what = "script", seconds?: number): Promise<Reply> {
    this.asked.push({ what, script, seconds });
    const [expected, answer] = this.scenes.shift() ?? ["nothing more", LOST];
    if (expected !== what) return Promise.reject(new Error(`it was asked to ${what}, not to ${expected}`));
    if (answer === LOST) {
      this.alive = false;
      return Promise.reject(lost());
    }
    if (typeof answer === "string") return Promise.resolve(said(answer));
    return Promise.resolve("nft" in answer ? said(printAnswer(answer)) : answer);
  }

  close(): void {
    this.closed = true;
    this.alive = false;
  }

  /** All that it was asked, in order. */
  whats(): string[] {
    return this.asked.map(({ what }) => what);
  }

  /** What it was asked when it was last asked for this. */
  last(what: string): Asked {
    return this.asked.findLast((one) => one.what === what) ?? { what, script: "", seconds: undefined };
  }
}

export const said = (stdout: string, stderr = "", code = 0): Reply => ({ code, stdout, stderr });

const lost = (): HostError =>
  new HostError({
    tried: "talk to the shell",
    host: "lb1",
    reason: "the connection was lost: Timed out",
    outcome: "a change that was under way is undone by the host itself",
    remedy: "run the same command again",
  });
