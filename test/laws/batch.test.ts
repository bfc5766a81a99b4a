/** Many resources, one host: one look, one transaction, and each answers for itself. */
import { HostSession } from "../../provider/engine/session";
import { type Declaration, desiredLines } from "../../provider/engine/desired";
import { observedLines } from "../../provider/engine/observed";
import { type Shell } from "../../provider/host/shell";
import { parseRule } from "../../provider/kernel/nftables/rule";
import { own } from "../../provider/kernel/object";
import { CONNTRACK_TUNING } from "../../provider/resources/conntrack-tuning";
import { LAYOUT } from "../../provider/resources/layout";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { fingerprint, openNamespace } from "../support/namespace";

let shell: Shell;
let session: HostSession;
let frames: number;
let before: string;

beforeEach(async () => {
  shell = await openNamespace();
  before = await fingerprint(shell);
  frames = 0;
  const counting: Shell = {
    host: shell.host,
    get alive() {
      return shell.alive;
    },
    run: (script, what) => {
      frames++;
      return shell.run(script, what);
    },
    close: () => {
      shell.close();
    },
  };
  session = new HostSession(() => Promise.resolve(counting), LAYOUT);
});

afterEach(() => session.close());

const rule = (i: number, stack = "acme/prod"): Declaration => {
  const name = `synproxy/${stack}/rule${i.toString()}`;
  const match = {
    destinations: [`10.9.${Math.floor(i / 200).toString()}.${((i % 200) + 1).toString()}`],
    ports: [80, "8000-8080"],
  };
  return {
    name,
    label: `rule ${i.toString()}`,
    ...SYNPROXY_RULE.compile(`${name}/`, SYNPROXY_RULE.model.parse({ chain: "input", match })),
  };
};

const tuning = (args: object): Declaration => {
  const name = "conntrack/acme/prod/tuning";
  return { name, label: "tuning", ...CONNTRACK_TUNING.compile(`${name}/`, CONNTRACK_TUNING.model.parse(args)) };
};

const rules = (count: number) => Array.from({ length: count }, (_, i) => rule(i));
const putAll = (declarations: readonly Declaration[]) =>
  Promise.allSettled(declarations.map((put) => session.change({ put })));
const failures = (results: readonly PromiseSettledResult<unknown>[]) =>
  results.flatMap((r, i) => (r.status === "rejected" ? [[i, String(r.reason)] as const] : []));

test("200 rules are one transaction of three round trips; so is their removal; reading them all is one", async () => {
  const all = [...rules(200), tuning({ accounting: true })];
  expect(failures(await putAll(all))).toEqual([]);
  expect(frames).toBe(3);

  frames = 0;
  const seen = await Promise.all(all.map((d) => session.read(d.wanted)));
  expect(frames).toBe(1);
  for (const [i, d] of all.entries()) expect(observedLines(d, seen[i] ?? fail(), LAYOUT)).toEqual(desiredLines(d));

  frames = 0;
  await Promise.all(all.map((remove) => session.change({ remove })));
  expect(frames).toBe(3);
  expect(await fingerprint(shell)).toBe(before);
});

const fail = (): never => {
  throw new Error("nothing was read");
};

test("what two of a batch both want, one gets, and the other is told whose it is", async () => {
  const results = await putAll([rule(1), { ...rule(1, "acme/test"), label: "the other" }, rule(2)]);
  expect(failures(results)).toEqual([
    [
      1,
      expect.stringMatching(
        /apply the other on testhost: 10.9.0.2 port 80 already belongs to synproxy\/acme\/prod\/rule1/,
      ),
    ],
  ]);
  expect(frames).toBe(3);
});

test("a value that the kernel refuses fails alone, with its key; the others stand", async () => {
  const key = "/proc/sys/net/netfilter/nf_conntrack_udp_timeout";
  await shell.run(`cp ${key} /run/frozen && mount --bind /run/frozen ${key} && mount -o remount,ro,bind ${key}`);
  const results = await putAll([rule(1), tuning({ timeouts: { udp: 41 } }), rule(2)]);
  expect(failures(results)).toEqual([
    [
      1,
      expect.stringMatching(
        /apply tuning on testhost: net\.netfilter\.nf_conntrack_udp_timeout: Read-only file system/,
      ),
    ],
  ]);
  expect((await shell.run("nft list ruleset; cut -f 1,2 /var/lib/lbshield/ledger")).stdout).toMatch(
    /rule1\/input[^]*rule2\/input[^]*rule1\nrecord.*rule2/,
  );
});

test("a rule that nft refuses fails alone, with nft's words; the others stand", async () => {
  const bad: Declaration = {
    ...rule(3),
    wanted: [
      ...rule(3).wanted,
      own({ kind: "chain", name: `${rule(3).name}/more`, rules: [parseRule("tcp dport bananas drop")] }),
    ],
  };
  const results = await putAll([rule(1), bad, rule(2)]);
  expect(failures(results)).toEqual([
    [
      1,
      expect.stringMatching(
        /apply rule 3 on testhost: chain synproxy\/acme\/prod\/rule3\/more: nft: Error: .*\n.*bananas/,
      ),
    ],
  ]);
  const { stdout } = await shell.run("nft list ruleset");
  expect(stdout).toMatch(/rule1\/input[^]*rule2\/input/);
  expect(stdout).not.toContain("rule3");
});
