/** The commands, with the world they act on as an argument. */
import { type HostSession } from "../provider/engine/session";
import { type Snapshot } from "../provider/engine/snapshot";
import { HostError, messageOf } from "../provider/errors";
import { connection, endpoint } from "../provider/host/connection";
import { type Properties } from "../provider/wire";
import { type Asked, type Command, HELP, type StateFrom, Usage, parseCommand } from "./args";
import { entriesOf, freedBy } from "./entries";
import { type Findings, type Orphan, match } from "./match";
import { type Pulumi, exportState, stackName } from "./pulumi";
import { type Report, count, findingsJson, findingsText, ledgerJson, ledgerText } from "./show";
import { type State, parseState, stateError } from "./state";

export interface World {
  readonly version: string;
  print(text: string): void;
  complain(text: string): void;
  /** A file's content; `-` is standard input. */
  read(file: string): Promise<string>;
  readonly pulumi: Pulumi;
  session(way: Properties): Pick<HostSession, "read" | "change">;
  /** Undefined where nobody could answer. */
  readonly confirm: ((question: string) => Promise<boolean>) | undefined;
}

/** What a process of ours ends with. 7 is what `pulumi --expect-no-changes` ends with. */
export const STATUS = { nothing: 0, error: 1, usage: 2, found: 7 } as const;

export async function run(argv: readonly string[], world: World): Promise<number> {
  try {
    return await obey(parseCommand(argv), world);
  } catch (error) {
    if (error instanceof Usage) {
      world.complain(`lbshield: ${error.message}\nlbshield --help says what there is`);
      return STATUS.usage;
    }
    world.complain(`lbshield: ${messageOf(error)}`);
    return STATUS.error;
  }
}

async function obey(command: Command, world: World): Promise<number> {
  switch (command.do) {
    case "help":
      world.print(HELP);
      return STATUS.nothing;
    case "version":
      world.print(world.version);
      return STATUS.nothing;
    case "ledger": {
      const { host, session } = await reach(command, world);
      const seen = await read(host, session);
      world.print((command.json ? ledgerJson : ledgerText)(host, entriesOf(seen), seen));
      return STATUS.nothing;
    }
    case "orphans":
      return orphans(command, world);
    default:
      return command satisfies never;
  }
}

interface Reached {
  readonly host: string;
  readonly session: ReturnType<World["session"]>;
}

async function reach({ way, identity }: Asked, world: World): Promise<Reached> {
  const host = endpoint(connection.parse(way));
  if (identity === undefined) return { host, session: world.session(way) };
  const privateKey = await world.read(identity).catch((error: unknown) => {
    const remedy = "--identity takes the file of a private key";
    throw new HostError({ tried: "connect", host, reason: messageOf(error), remedy }, error);
  });
  return { host, session: world.session(withKey(way, privateKey)) };
}

const read = (host: string, session: Reached["session"]): Promise<Snapshot> =>
  session.read([]).catch((error: unknown) => {
    throw error instanceof HostError ? error : new HostError({ tried: "read", host, reason: messageOf(error) }, error);
  });

/** The key is offered to the bastions as well, like those of the environment. */
const withKey = ({ proxy, ...way }: Properties, privateKey: string): Properties => ({
  ...way,
  privateKey,
  ...(proxy === undefined ? {} : { proxy: withKey(proxy as Properties, privateKey) }),
});

async function orphans(command: Command & { do: "orphans" }, world: World): Promise<number> {
  if (command.purge && !command.yes && world.confirm === undefined)
    throw new Usage("--purge asks before it removes anything, and there is no terminal: add --yes");
  // Before the host: a wrong folder is told at once.
  const state = await stateFrom(command.state, world);
  const { host, session } = await reach(command, world);
  const report = await look(host, session, state);
  const { json, purge } = command;
  const tell = (r: Report) => {
    world.print((json ? findingsJson : findingsText)(r));
  };
  if (!purge || report.orphans.length === 0) {
    tell(report);
    return statusOf(report);
  }
  if (json) world.complain(findingsText(report));
  else tell(report);
  if (!command.yes && !(await isAgreed(command.state, world, { host, session, report }))) {
    if (json) tell(report);
    world.complain("nothing was removed");
    return statusOf(report);
  }
  await remove(report.orphans, session, world);
  world.complain(`removed ${count(report.orphans.length, "resource")} from ${host}`);
  if (json) tell({ ...report, purged: true });
  return statusOf({ ...report, orphans: [] });
}

const statusOf = ({ orphans, pending, lost }: Findings): number =>
  orphans.length + pending.length + lost.length > 0 ? STATUS.found : STATUS.nothing;

async function look(host: string, session: Reached["session"], state: State): Promise<Report> {
  const seen = await read(host, session);
  const found = match(host, entriesOf(seen), state);
  return { host, stacks: state.stacks, ...found, freed: freedBy(found.orphans, seen), purged: false };
}

async function stateFrom({ file, stack }: StateFrom, world: World): Promise<State> {
  if (file === undefined) {
    const state = parseState(await exportState(world.pulumi, stack));
    return state.stacks.length > 0 ? state : { ...state, stacks: [await stackName(world.pulumi, stack)] };
  }
  if (stack !== undefined && stack.split("/").length !== 2)
    throw new Usage(`beside --state, --stack is PROJECT/STACK, not ${stack}`);
  const text = await world.read(file).catch((error: unknown) => {
    throw stateError(messageOf(error), "--state takes a file, or - for standard input", error);
  });
  const state = parseState(text);
  if (state.stacks.length === 0 && stack === undefined)
    throw stateError("it has no resources, and so does not say whose it is", "add --stack PROJECT/STACK");
  if (state.stacks.length > 0 && stack !== undefined && !state.stacks.includes(stack))
    throw stateError(`it is the state of ${state.stacks.join(", ")}, not of ${stack}`, "give the state of that stack");
  return stack === undefined ? state : { ...state, stacks: [stack] };
}

/** A person may take long to answer: what they agree to must still be so. */
async function isAgreed(
  from: StateFrom,
  world: World,
  { host, session, report }: Reached & { readonly report: Report },
): Promise<boolean> {
  const { length } = report.orphans;
  if (!(await world.confirm?.(`Remove ${length === 1 ? "it" : `all ${length.toString()}`} from ${host}? [y/N] `)))
    return false;
  const now = await look(host, session, await stateFrom(from, world));
  const names = (r: Report) => r.orphans.map((o) => o.name).join("\n");
  if (names(now) === names(report)) return true;
  throw new HostError({
    tried: "remove orphans",
    host,
    reason: "host or state have changed since they were looked at",
    outcome: "nothing was changed",
    remedy: "run the same command again",
  });
}

/** All in one transaction. */
async function remove(orphans: readonly Orphan[], session: Reached["session"], world: World): Promise<void> {
  const told = new Set<string>();
  const tell = (message: string) => {
    if (!told.has(message)) world.complain(message);
    told.add(message);
  };
  const results = await Promise.allSettled(
    orphans.map(({ name, label, via }) =>
      session.change({ remove: { name, label, ...(via === undefined ? {} : { via }) } }, { tell }),
    ),
  );
  const failed = results.flatMap((r) => (r.status === "rejected" ? [messageOf(r.reason)] : []));
  const [first] = failed;
  if (first === undefined) return;
  const others = failed.length - 1;
  throw new Error(others > 0 ? `${first}\n(the same of ${count(others, "other")})` : first);
}
