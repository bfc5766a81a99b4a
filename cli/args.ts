/** What the command line asks for. */
import { isIPv6 } from "node:net";
import { parseArgs } from "node:util";

import { connection, isSecretMember } from "../provider/host/connection";
import { validate } from "../provider/validate";
import { type Properties } from "../provider/wire";

export type Command =
  | { readonly do: "help" | "version" }
  | ({ readonly do: "ledger" } & Asked)
  | ({ readonly do: "orphans"; readonly state: StateFrom; readonly purge: boolean; readonly yes: boolean } & Asked);

/** What both commands take. */
export interface Asked {
  /** Connection arguments, without credentials. */
  readonly way: Properties;
  /** The file of a private key. */
  readonly identity: string | undefined;
  readonly json: boolean;
}

export interface StateFrom {
  /** A file, or `-` for standard input; otherwise Pulumi is asked. */
  readonly file: string | undefined;
  /** As given: what `pulumi --stack` takes, or `PROJECT/STACK` beside a file. */
  readonly stack: string | undefined;
}

/** What was asked for cannot be. */
export class Usage extends Error {
  override readonly name = "Usage";
}

export const HELP = `lbshield: what the ledger of a host holds, and what of it no stack knows

  lbshield orphans HOST   what the ledger has of this stack and its state has not, and the reverse
  lbshield ledger HOST    everything in the ledger

HOST is [USER@]NAME[:PORT], by default root and port 22; an IPv6 address stands in brackets.

To reach it, beside the SSH agent, known_hosts and the environment (LBSHIELD_PRIVATE_KEY and others):
  -i, --identity FILE     a private key
      --host-key KEY      the host's key, ssh-ed25519 AAAA... or SHA256:..., in the place of known_hosts
      --proxy HOST        a bastion; several with commas between them, in the order in which they are passed

The state, for orphans; without these it is the current stack's of the project in this folder:
      --stack STACK       another stack's
      --state FILE        a file that "pulumi stack export" wrote, or a list of resources; - for standard input.
                          If it has no resources, --stack PROJECT/STACK says whose it is
      --all               no state: everything in the ledger, as lbshield ledger shows it

      --purge             remove the orphans from the host, in one transaction, after a question
  -y, --yes               do not ask
      --json              JSON, in the place of a table
  -h, --help
      --version

Status: 0 nothing was found, 7 the host and the state differ, 1 an error, 2 a wrong command line.`;

const OPTIONS = {
  all: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  "host-key": { type: "string" },
  identity: { type: "string", short: "i" },
  json: { type: "boolean" },
  proxy: { type: "string" },
  purge: { type: "boolean" },
  stack: { type: "string" },
  state: { type: "string" },
  version: { type: "boolean" },
  yes: { type: "boolean", short: "y" },
} as const;

export function parseCommand(argv: readonly string[]): Command {
  const { values, positionals } = parse(argv);
  if (values.help) return { do: "help" };
  if (values.version) return { do: "version" };
  const [command, host, ...others] = positionals;
  if (command !== "orphans" && command !== "ledger")
    throw new Usage(command === undefined ? "no command was given" : `there is no command "${command}"`);
  if (host === undefined) throw new Usage(`${command} needs a HOST`);
  if (others.length > 0) throw new Usage(`one HOST at a time: what is ${others.join(" ")}?`);
  const asked = {
    way: wayFrom(host, values["host-key"], values.proxy),
    identity: values.identity,
    json: values.json === true,
  };
  const { all, purge, stack, state, yes } = values;
  const ofOrphans = Object.entries({ all, purge, stack, state, yes }).flatMap(([k, v]) => (v === undefined ? [] : [k]));
  if (command === "ledger" || all) {
    const wrong = ofOrphans.filter((name) => command === "ledger" || name !== "all");
    if (wrong[0] !== undefined)
      throw new Usage(`--${wrong[0]} means nothing to ${command}${command === "ledger" ? "" : " --all"}`);
    return { do: "ledger", ...asked };
  }
  if (yes && !purge) throw new Usage("--yes means nothing without --purge");
  return { do: "orphans", ...asked, state: { file: state, stack }, purge: purge === true, yes: yes === true };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code.startsWith("ERR_PARSE_ARGS")) throw new Usage(message.replace(/\. To .*$/s, ""));
    throw error;
  }
}

/** A person waits for the answer: fewer dials than in a run. */
const DIALS = 3;

function wayFrom(host: string, hostKey: string | undefined, proxy: string | undefined): Properties {
  const through = proxy
    ?.split(",")
    .map(address)
    .reduce<Properties | undefined>((outer, dial) => ({ ...dial, ...(outer ? { proxy: outer } : {}) }), undefined);
  const given = {
    ...address(host),
    ...(hostKey === undefined ? {} : { hostKey }),
    ...(through === undefined ? {} : { proxy: through }),
  };
  const { problems } = validate(connection, given, { secret: isSecretMember });
  if (problems.length > 0) throw new Usage(problems.join("\n"));
  return given;
}

/** `[USER@]NAME[:PORT]` as connection arguments; what is wrong with its parts, their own check says. */
function address(text: string): Properties {
  const at = text.lastIndexOf("@");
  const place = text.slice(at + 1);
  if (isIPv6(place)) throw new Usage(`an IPv6 address stands in brackets: ${text.slice(0, at + 1)}[${place}]`);
  const [, name = "", port] = /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(place) ?? [];
  if (name === "") throw new Usage(`${JSON.stringify(text)} is not [USER@]NAME[:PORT]`);
  return {
    host: name.replace(/^\[(.*)\]$/, "$1"),
    dialErrorLimit: DIALS,
    ...(at < 0 ? {} : { user: text.slice(0, at) }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}
