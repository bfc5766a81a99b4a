/** The laws of docs/laws.md, over generated arguments, on the real kernel. */
import fc from "fast-check";

import { type Declaration, desiredLines } from "../../provider/engine/desired";
import { observedLines, restrictTo } from "../../provider/engine/observed";
import { interestOf } from "../../provider/engine/snapshot";
import { readHost } from "../../provider/engine/transaction";
import { type Shell } from "../../provider/host/shell";
import { CONNTRACK_TUNING } from "../../provider/resources/conntrack-tuning";
import { LAYOUT } from "../../provider/resources/layout";
import { LOAD_BALANCER } from "../../provider/resources/load-balancer";
import { ownPrefix } from "../../provider/resources/owner";
import { type ResourceType } from "../../provider/resources/resource";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { conntrackTuningArgs, loadBalancerArgs, synproxyRuleArgs } from "../support/arbitrary";
import { changeOne } from "../support/change";
import { fingerprint, openNamespace } from "../support/namespace";

const CASES: readonly { type: ResourceType; args: fc.Arbitrary<object> }[] = [
  { type: SYNPROXY_RULE, args: synproxyRuleArgs },
  { type: CONNTRACK_TUNING, args: conntrackTuningArgs },
  { type: LOAD_BALANCER, args: loadBalancerArgs },
];

const RUNS = 25;

/** What an operator has on the host: none of it ours, all of it to stay. */
const OPERATORS = `
table inet operator {
  set office { type ipv4_addr; elements = { 192.0.2.1 }; }
  chain input { type filter hook input priority 0; policy accept;
    ct state invalid counter drop
    ip saddr @office tcp dport 22 accept
  }
}
table ip lbshield { chain not-ours { }; }`;

let shell: Shell;
let before: string;

beforeEach(async () => {
  shell = await openNamespace();
  const made = await shell.run(
    // One tracked connection: conntrack is awake, and no sample waits for it to warm up.
    `nft '${OPERATORS}' && sysctl -qw net.ipv4.tcp_sack=0 net.netfilter.nf_conntrack_udp_timeout=17 && conntrack -I -p udp -s 192.0.2.1 -d 192.0.2.2 --sport 1 --dport 2 --timeout 9999 2>/dev/null`,
  );
  expect(made).toMatchObject({ code: 0, stderr: "" });
  before = await fingerprint(shell);
});

afterEach(() => {
  shell.close();
});

const declare = (type: ResourceType, args: object, name = "one"): Declaration => {
  const full = `${type.kind}/acme/prod/${name}`;
  return { name: full, label: `${type.type} ${name}`, ...type.compile(ownPrefix(full), type.model.parse(args)) };
};
const put = (d: Declaration) => changeOne(shell, { put: d });
const remove = (d: Declaration) => changeOne(shell, { remove: d });
const look = (d: Declaration) => readHost(shell, interestOf(d.wanted));
const expectInPlace = async (d: Declaration) => {
  expect(observedLines(d, await look(d), LAYOUT)).toEqual(desiredLines(d));
};

/** One sample after the other: they share a host. */
const forAll = <T>(arbitrary: fc.Arbitrary<T>, law: (value: T) => Promise<void>) =>
  fc.assert(fc.asyncProperty(arbitrary, law), { numRuns: RUNS, endOnFailure: true });

describe.each(CASES)("$type.type", ({ type, args }) => {
  test("law 1: applying twice writes once", () =>
    forAll(args, async (a) => {
      const d = declare(type, a);
      expect((await put(d)).changed).toBe(true);
      expect((await put(d)).changed).toBe(false);
      await remove(d);
    }));

  test("law 2: through the kernel and back", () =>
    forAll(args, async (a) => {
      const d = declare(type, a);
      await put(d);
      const model = type.model.parse(a);
      expect(type.decompile(ownPrefix(d.name), restrictTo(d, await look(d), LAYOUT), model)).toEqual(model);
      await expectInPlace(d);
      await remove(d);
    }));

  test("laws 3 and 4: created, changed in place and deleted, the host is as before", () =>
    forAll(fc.tuple(args, args), async ([a, b]) => {
      await put(declare(type, a));
      const changed = declare(type, b);
      await put(changed);
      await expectInPlace(changed);
      await remove(changed);
      expect(await fingerprint(shell)).toBe(before);
    }));
});

test("law 3: many resources, gone in any order", () =>
  forAll(
    fc.tuple(
      fc.array(synproxyRuleArgs, { minLength: 2, maxLength: 5 }),
      conntrackTuningArgs,
      fc.infiniteStream(fc.nat()),
    ),
    async ([rules, tuning, random]) => {
      const there: Declaration[] = [];
      for (const d of [
        ...rules.map((r, i) => declare(SYNPROXY_RULE, r, `rule${i.toString()}`)),
        declare(CONNTRACK_TUNING, tuning),
      ])
        // A conflict between two of them is an error that changes nothing; the others stand.
        await put(d).then(
          () => there.push(d),
          (error: unknown) => {
            expect(String(error)).toMatch(/already belongs to|wants it to be/);
          },
        );
      for (const d of there) await expectInPlace(d);
      while (there.length > 0) {
        const [next] = there.splice((random.next().value ?? 0) % there.length, 1);
        if (next) await remove(next);
        for (const d of there) await expectInPlace(d);
      }
      expect(await fingerprint(shell)).toBe(before);
    },
  ));

/** What somebody might do by hand to what is ours. */
const EDITS = [
  `nft delete element inet lbshield input4 { 10.9.0.1 . 80 }`,
  `nft delete element inet lbshield prerouting4 { 10.9.0.1 . 443 }`,
  `nft delete element inet lbshield protected4 { 10.9.0.1 }`,
  `nft delete element inet lbshield own4 { 10.9.0.1 . 80 }`,
  `nft flush chain inet lbshield own-syn`,
  `nft flush chain inet lbshield own-dispatch`,
  `nft flush chain inet lbshield own-accept`,
  `nft add map inet lbshield input4-wide '{ type ipv4_addr . inet_service : verdict ; flags interval ; }'`,
  `nft 'delete element inet lbshield own4 { 10.9.0.1 . 443 }; add element inet lbshield own4 { 10.9.0.1 . 443 : drop }'`,
  `nft flush map inet lbshield input4`,
  `nft flush chain inet lbshield prerouting`,
  `nft flush chain inet lbshield input-dispatch`,
  `nft flush chain inet lbshield synproxy/acme/prod/one/input`,
  `nft insert rule inet lbshield synproxy/acme/prod/one/input ip saddr 192.0.2.0/24 tcp dport { 80, 443 } counter accept`,
  `nft add rule inet lbshield synproxy/acme/prod/one/prerouting log prefix '"hello, world"'`,
  `nft 'flush chain inet lbshield synproxy/acme/prod/one/input; add rule inet lbshield synproxy/acme/prod/one/input synproxy mss 1400; add rule inet lbshield synproxy/acme/prod/one/input drop'`,
  `nft 'add synproxy inet lbshield unused { mss 1400 ; wscale 3 ; timestamp ; }'`,
  `nft add chain inet lbshield stranger`,
  `nft add counter inet lbshield hits`,
  `nft add set inet lbshield more '{ type ipv4_addr ; }'`,
  `nft add element inet lbshield input4 '{ 10.9.0.77 . 80 comment "by hand, at night" : accept }'`,
  `nft add element inet lbshield input4 '{ 10.9.0.78 . 80 : goto synproxy/acme/prod/one/input }'`,
  `nft add chain inet lbshield synproxy/acme/prod/one/more`,
  `nft 'add chain inet lbshield input { policy drop ; }'`,
  `nft delete table inet lbshield`,
  `nft flush ruleset`,
  `sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1`,
  `sysctl -qw net.ipv4.tcp_syncookies=0`,
];

test.each(EDITS)("law 7: seen and repaired: %s", async (edit) => {
  const d = declare(SYNPROXY_RULE, {
    chain: "input",
    match: { destinations: ["10.9.0.1"], ports: [80, 443] },
    options: { wscale: 7, timestamp: true },
  });
  await put(d);
  expect(await shell.run(edit)).toMatchObject({ code: 0, stderr: "" });
  expect(observedLines(d, await look(d), LAYOUT)).not.toEqual(desiredLines(d));
  expect((await put(d)).changed).toBe(true);
  await expectInPlace(d);
  await remove(d);
  expect((await shell.run("nft list tables | grep 'inet lbshield'")).stdout).toBe("");
});

test("a table that must be rebuilt while nothing is tracked is rebuilt", async () => {
  const d = declare(SYNPROXY_RULE, { chain: "input", match: { destinations: ["10.9.0.1"], ports: [80] } });
  await put(d);
  await shell.run("conntrack -F 2>/dev/null; nft 'add chain inet lbshield input { policy drop ; }'");
  expect((await put(d)).changed).toBe(true);
  await expectInPlace(d);
});

test("objects whose record is lost are left alone when the last recorded resource goes", async () => {
  const [kept, lost] = ["kept", "lost"].map((name, i) =>
    declare(
      SYNPROXY_RULE,
      { chain: "input", match: { destinations: [`10.9.0.${(i + 1).toString()}`], ports: [80, "90-99"] } },
      name,
    ),
  );
  if (!kept || !lost) throw new Error("two are declared");
  await put(kept);
  await put(lost);
  await shell.run("sed -i '/^record\\t[^\\t]*lost\\t/d' /var/lib/lbshield/ledger");
  await remove(kept);
  const { stdout } = await shell.run("nft list ruleset");
  expect(stdout).toMatch(/"?10\.9\.0\.2 \. 90-99 : goto synproxy\/acme\/prod\/lost\/input/);
  expect(stdout).not.toContain("prod/kept");
  await put(lost);
  await remove(lost);
  expect((await shell.run("nft list tables")).stdout).not.toContain("inet lbshield");
});
