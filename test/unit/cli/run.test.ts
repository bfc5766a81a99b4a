import { type Pulumi } from "../../../cli/pulumi";
import { type World, run } from "../../../cli/run";
import { type Change } from "../../../provider/engine/plan";
import { type Snapshot } from "../../../provider/engine/snapshot";
import { HostError } from "../../../provider/errors";
import { type Properties } from "../../../provider/wire";
import { deployment, host, inState, rule } from "./support";

const STACK = { urn: "urn:pulumi:test::shop::pulumi:pulumi:Stack::shop-test", type: "pulumi:pulumi:Stack" };
const exported = (...resources: unknown[]) => JSON.stringify(deployment([STACK, ...resources]));

interface Options {
  readonly seen?: Snapshot;
  readonly state?: string;
  readonly answer?: boolean;
  readonly files?: Readonly<Record<string, string>>;
  readonly refuse?: Error;
  /** What stands there when one looks for the second time. */
  readonly later?: Snapshot;
}

/** Runs a command line in a world of paper. */
async function lbshield(line: string, options: Options = {}) {
  const {
    seen = host([rule("shop/test/web"), rule("shop/test/old")]),
    state = exported(inState("SynproxyRule", "web")),
  } = options;
  const [out, err, pulumi, ways, removed]: [string[], string[], string[], Properties[], Change[]] = [
    [],
    [],
    [],
    [],
    [],
  ];
  let looks = 0;
  const ask: Pulumi = (...args) => {
    pulumi.push(args.join(" "));
    return Promise.resolve(
      args[0] === "about" ? '{"currentStack": {"fullyQualifiedName": "organization/shop/test"}}' : state,
    );
  };
  const world: World = {
    version: "1.2.3",
    print: (text) => out.push(text),
    complain: (text) => err.push(text),
    read: (file) => {
      const text = options.files?.[file];
      return text === undefined ? Promise.reject(new Error(`no such file: ${file}`)) : Promise.resolve(text);
    },
    pulumi: ask,
    session: (way) => {
      ways.push(way);
      return {
        read: () => Promise.resolve(looks++ > 0 ? (options.later ?? seen) : seen),
        change: (change) => {
          removed.push(change);
          return options.refuse ? Promise.reject(options.refuse) : Promise.resolve({ seen, changed: true });
        },
      };
    },
    confirm: options.answer === undefined ? undefined : () => Promise.resolve(options.answer === true),
  };
  const status = await run(line.split(" "), world);
  return { status, out: out.join("\n"), err: err.join("\n"), pulumi, ways, removed };
}

const OLD = { remove: { name: "synproxy/shop/test/old", label: "SynproxyRule old (shop/test)", via: "lb1" } };

test("orphans are found: 7, and nothing is removed", async () => {
  const { status, out, pulumi, removed } = await lbshield("orphans lb1");
  expect(out).toBe(`lb1: 1 resource that the state of shop/test does not know

RESOURCE          OBJECTS  VALUES  REACHED AS
SynproxyRule old  1 chain  1       lb1`);
  expect({ status, pulumi, removed }).toEqual({ status: 7, pulumi: ["stack export"], removed: [] });
});

test("none are found: 0", async () => {
  const { status, out } = await lbshield("orphans lb1", { seen: host([rule("shop/test/web"), rule("shop/prod/x")]) });
  expect(out).toBe("lb1: nothing that the state of shop/test does not know; 1 resource known to both");
  expect(status).toBe(0);
});

test("the last to claim a value says what it goes back to", async () => {
  const { out } = await lbshield("orphans lb1", { seen: host([rule("shop/test/old")]) });
  expect(out).toContain("without them net.a goes back to 0");
});

test("lost resources are told: 7", async () => {
  const { status, out } = await lbshield("orphans lb1", { seen: host([]) });
  expect(out).toContain("1 resource that the state has here and the ledger has not");
  expect(out).toMatch(/\nSynproxyRule web$/);
  expect(status).toBe(7);
  const standing = await lbshield("orphans lb1", { seen: host([], ["synproxy/shop/test/web"]) });
  expect(standing.out).toMatch(/\nSynproxyRule web \(its objects are there: its next change writes the record\)$/);
  expect(standing.status).toBe(7);
});

test("creations that were cut off are told, and not removed: 7", async () => {
  const begun = { type: "creating", resource: inState("SynproxyRule", "old") };
  const state = JSON.stringify(deployment([inState("SynproxyRule", "web")], [begun]));
  const { status, out, removed } = await lbshield("orphans lb1 --purge --yes", { state });
  expect(out).toContain("1 resource that a run began to create, and whose end the state does not know");
  expect(out).toContain("SynproxyRule old");
  expect({ status, removed }).toEqual({ status: 7, removed: [] });
});

test("another stack is asked for by its name", async () => {
  expect((await lbshield("orphans lb1 --stack org/shop/test")).pulumi).toEqual(["stack export --stack org/shop/test"]);
});

test("an empty state: Pulumi says whose it is", async () => {
  const { out, pulumi, status } = await lbshield("orphans lb1", { state: '{"deployment": {"manifest": {}}}' });
  expect(out).toContain("lb1: 2 resources that the state of shop/test does not know");
  expect(pulumi).toEqual(["stack export", "about --json"]);
  expect(status).toBe(7);
});

describe("a state from a file", () => {
  const files = { "state.json": exported(inState("SynproxyRule", "web")), empty: "[]" };

  test("Pulumi is not asked", async () => {
    const { status, out, pulumi } = await lbshield("orphans lb1 --state state.json", { files });
    expect(out).toContain("SynproxyRule old");
    expect({ status, pulumi }).toEqual({ status: 7, pulumi: [] });
  });

  test("an empty one needs the stack's name", async () => {
    const unnamed = await lbshield("orphans lb1 --state empty", { files });
    expect(unnamed).toMatchObject({ status: 1, ways: [] });
    expect(unnamed.err).toContain("to do:   add --stack PROJECT/STACK");
    const { out } = await lbshield("orphans lb1 --state empty --stack shop/test", { files });
    expect(out).toContain("2 resources");
  });

  test("another stack's is refused", async () => {
    const { status, err } = await lbshield("orphans lb1 --state state.json --stack shop/prod", { files });
    expect(err).toContain("it is the state of shop/test, not of shop/prod");
    expect(status).toBe(1);
  });

  test("a name that is not PROJECT/STACK", async () => {
    expect(await lbshield("orphans lb1 --state state.json --stack prod", { files })).toMatchObject({ status: 2 });
  });

  test("it is not there", async () => {
    const { status, err } = await lbshield("orphans lb1 --state nope");
    expect(err).toMatch(/^lbshield: read the state on this machine: no such file: nope\n {2}to do: /);
    expect(status).toBe(1);
  });
});

describe("--purge", () => {
  test("without a terminal it needs --yes, and looks at nothing", async () => {
    const { status, err, ways, pulumi } = await lbshield("orphans lb1 --purge");
    expect(err).toContain("there is no terminal: add --yes");
    expect({ status, ways, pulumi }).toEqual({ status: 2, ways: [], pulumi: [] });
  });

  test("with --yes the orphans go, and nothing else: 0", async () => {
    const { status, out, err, removed } = await lbshield("orphans lb1 --purge --yes");
    expect(out).toContain("SynproxyRule old");
    expect(err).toBe("removed 1 resource from lb1");
    expect({ status, removed }).toEqual({ status: 0, removed: [OLD] });
  });

  test("asked, and agreed to", async () => {
    expect(await lbshield("orphans lb1 --purge", { answer: true })).toMatchObject({ status: 0, removed: [OLD] });
  });

  test("asked, and not agreed to: 7", async () => {
    const { status, err, removed } = await lbshield("orphans lb1 --purge", { answer: false });
    expect({ status, err, removed }).toEqual({ status: 7, err: "nothing was removed", removed: [] });
  });

  test("what has changed while one was asked is not removed", async () => {
    const later = host([rule("shop/test/web"), rule("shop/test/old"), rule("shop/test/new")]);
    const { status, err, removed } = await lbshield("orphans lb1 --purge", { answer: true, later });
    expect(err).toContain("host or state have changed since they were looked at");
    expect({ status, removed }).toEqual({ status: 1, removed: [] });
  });

  test("what is lost is still missing: 7", async () => {
    expect(await lbshield("orphans lb1 --purge --yes", { seen: host([rule("shop/test/old")]) })).toMatchObject({
      status: 7,
      removed: [OLD],
    });
  });

  test("it fails: 1, in the words of the host", async () => {
    const refuse = new HostError({ tried: "apply", host: "lb1", reason: "it is full", outcome: "nothing was changed" });
    const { status, err } = await lbshield("orphans lb1 --purge --yes", {
      refuse,
      seen: host([rule("shop/test/old")]),
    });
    expect({ status, err }).toEqual({
      status: 1,
      err: "lbshield: apply on lb1: it is full\n  outcome: nothing was changed",
    });
  });
});

describe("--json", () => {
  test("orphans", async () => {
    const { out, err } = await lbshield("orphans lb1 --json --purge --yes");
    expect(JSON.parse(out)).toEqual({
      host: "lb1",
      stacks: ["shop/test"],
      orphans: [
        {
          name: "synproxy/shop/test/old",
          label: "SynproxyRule old (shop/test)",
          stack: "shop/test",
          via: "lb1",
          objects: { chain: 1 },
          values: ["net.a"],
          recorded: true,
          elsewhere: [],
        },
      ],
      pending: [],
      lost: [],
      known: 1,
      freed: {},
      purged: true,
    });
    expect(err).toContain("removed 1 resource");
  });

  test("ledger", async () => {
    const { out, status } = await lbshield("ledger lb1 --json");
    expect(JSON.parse(out)).toMatchObject({ host: "lb1", entries: [{}, {}], originals: { "net.a": "0" } });
    expect(status).toBe(0);
  });
});

test("the ledger as a table, with the values as they were", async () => {
  const { out, pulumi } = await lbshield("ledger ops@lb1:2222", { seen: host([rule("shop/test/web")], ["lb/a/b/c"]) });
  expect(out).toBe(`lb1:2222: 2 resources

STACK      RESOURCE              OBJECTS  VALUES  REACHED AS
a/b        lb/a/b/c (no record)  1 chain  -       -
shop/test  SynproxyRule web      1 chain  1       lb1

VALUE  BEFORE THE FIRST CLAIM
net.a  0`);
  expect(pulumi).toEqual([]);
});

test("a host without a ledger", async () => {
  expect(await lbshield("ledger lb1", { seen: host([]) })).toMatchObject({
    status: 0,
    out: "lb1: the ledger is empty",
  });
});

test("a key from a file is offered to host and bastions, and never shown", async () => {
  const { ways, out, err } = await lbshield("ledger lb1 -i key --proxy a,b", { files: { key: "PRIVATE" } });
  expect(ways).toMatchObject([
    {
      host: "lb1",
      privateKey: "PRIVATE",
      proxy: { host: "b", privateKey: "PRIVATE", proxy: { privateKey: "PRIVATE" } },
    },
  ]);
  expect(out + err).not.toContain("PRIVATE");
});

test("help and version", async () => {
  expect(await lbshield("--version")).toMatchObject({ status: 0, out: "1.2.3" });
  expect((await lbshield("--help")).out).toContain("lbshield orphans HOST");
  expect(await lbshield("dance")).toMatchObject({
    status: 2,
    err: 'lbshield: there is no command "dance"\nlbshield --help says what there is',
  });
});
