/** Credentials as ssh2 takes them, and what to say when none was accepted. */
import {
  type AnyAuthMethod,
  type AuthHandlerMiddleware,
  type AuthenticationType,
  BaseAgent,
  type IdentityCallback,
  type ParsedKey,
  type SignCallback,
  type SigningRequestOptions,
  createAgent,
} from "ssh2";

import { HostError } from "../errors";
import { type Credential, type Hop, endpoint } from "./connection";
import { fingerprint } from "./known-hosts";
import { readPrivateKey } from "./private-key";

/** All that one connection offers. */
export class Offer {
  private readonly candidates: readonly Candidate[];
  private accepted: readonly AuthenticationType[] | undefined;

  /** A key that cannot be read is an error now: ssh2 would pass over it in silence. */
  constructor(hop: Hop) {
    this.candidates = hop.credentials.map((credential) => candidate(hop, credential));
  }

  /** One after the other, but none of a kind that the host does not take: it counts what fails (MaxAuthTries). */
  handler(): AuthHandlerMiddleware {
    let left = this.candidates.flatMap((c) => c.methods);
    let last: AnyAuthMethod | undefined;
    return (accepted: readonly AuthenticationType[] | null, partial: boolean | null, next) => {
      this.accepted = accepted ?? undefined;
      // One factor of several was accepted: whatever was passed over may be another.
      if (partial === true) left = this.candidates.flatMap((c) => c.methods).filter((m) => m !== last);
      last = left.find((method) => accepted === null || isTaken(method, accepted));
      left = left.slice(last === undefined ? left.length : left.indexOf(last) + 1);
      // The types know no end; ssh2's README does.
      next(last ?? (false as never));
    };
  }

  /** The agent that has been asked and has not answered: it may be asking somebody for a confirmation. */
  get waitsFor(): string | undefined {
    return this.candidates.find((c) => c.waits())?.from;
  }

  /** `the private key of the connection (ssh-ed25519 SHA256:...), the password of the environment` */
  toString(): string {
    const tried = this.candidates.map(({ from, note }) => [from, ...note()].join(" "));
    const all = tried.length === 0 ? "(no key, agent or password was given)" : tried.join(", ");
    return this.accepted === undefined ? all : `${all}; it takes ${this.accepted.join(", ")}`;
  }
}

interface Candidate {
  readonly from: string;
  readonly methods: readonly AnyAuthMethod[];
  readonly note: () => readonly string[];
  readonly waits: () => boolean;
}

/** Is it worth a try? A dialogue that asks for the password is not, where the password itself was refused. */
const isTaken = ({ type }: AnyAuthMethod, accepted: readonly AuthenticationType[]): boolean =>
  accepted.includes(type === "agent" ? "publickey" : type) &&
  !(type === "keyboard-interactive" && accepted.includes("password"));

function candidate(hop: Hop, credential: Credential): Candidate {
  const { user: username } = hop;
  const { from } = credential;
  if ("agent" in credential) {
    const agent = new NotingAgent(credential.agent);
    return { from, methods: [{ type: "agent", username, agent }], note: () => agent.notes, waits: () => agent.asked };
  }
  if ("password" in credential) {
    const { password } = credential;
    // Many hosts ask for the password in a dialogue (PAM), and take it in no other way.
    const prompt = once(password);
    const dialogue: AnyAuthMethod = { type: "keyboard-interactive", username, prompt };
    return { from, methods: [{ type: "password", username, password }, dialogue], note: () => [], waits: () => false };
  }
  const key = readPrivateKey(credential.privateKey, credential.passphrase);
  if (key instanceof Error)
    throw new HostError(
      {
        tried: "connect",
        host: endpoint(hop),
        outcome: "nothing was changed",
        reason: `${from} cannot be used: ${key.message}`,
        remedy: "it is the key's content in OpenSSH or PEM form; an encrypted one needs privateKeyPassword",
      },
      key,
    );
  const print = `(${key.type} ${fingerprint(key.getPublicSSH())})`;
  return { from, methods: [{ type: "publickey", username, key }], note: () => [print], waits: () => false };
}

/** Answers the first question that hides its answer; a second one asks for something else, such as a code. */
function once(password: string): (n: string, i: string, l: string, prompts: Prompts, finish: Finish) => void {
  let asked = false;
  return (_name, _instructions, _language, prompts, finish) => {
    finish(prompts.map(({ echo }) => (echo === true || asked ? "" : password)));
    asked = true;
  };
}
type Prompts = readonly { readonly echo?: boolean }[];
type Finish = (answers: string[]) => void;

/** An agent that cannot be asked has no keys, and the next credential is tried. */
class NotingAgent extends BaseAgent {
  readonly notes: string[] = [];
  asked = false;
  private readonly agent: BaseAgent;

  constructor(private readonly socket: string) {
    super();
    this.agent = createAgent(socket);
  }

  override getIdentities(done: IdentityCallback): void {
    this.asked = true;
    this.agent.getIdentities((error, keys = []) => {
      this.asked = false;
      if (error) this.notes.push(`(no agent answers at ${this.socket})`);
      else if (keys.length === 0) this.notes.push("(it has no keys, or is locked)");
      else this.notes.push(`(${keys.length.toString()} ${keys.length === 1 ? "key" : "keys"})`);
      done(undefined, error ? [] : keys);
    });
  }

  override sign(key: string | Buffer | ParsedKey, data: Buffer, ...rest: readonly unknown[]): void {
    const done = rest.at(-1) as SignCallback;
    this.asked = true;
    this.agent.sign(key, data, (rest.length > 1 ? rest[0] : {}) as SigningRequestOptions, (error, signature) => {
      this.asked = false;
      if (error) this.notes.push(`(it does not sign: ${error.message})`);
      done(error, signature);
    });
  }
}
