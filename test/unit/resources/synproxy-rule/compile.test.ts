import { desiredLines } from "../../../../provider/engine/desired";
import { byId } from "../../../../provider/kernel/nftables/objects";
import { objectId } from "../../../../provider/kernel/object";
import { LAYOUT } from "../../../../provider/resources/layout";
import { compile } from "../../../../provider/resources/synproxy-rule/compile";
import { type SynproxyRuleArgs, synproxyRule } from "../../../../provider/resources/synproxy-rule/model";

const PREFIX = "synproxy/acme/prod/web/";
const compiled = (match: SynproxyRuleArgs["match"], options?: SynproxyRuleArgs["options"]) =>
  compile(PREFIX, synproxyRule.parse({ chain: "input", match, options }));
const nft = (...args: Parameters<typeof compiled>) => desiredLines(compiled(...args)).nft ?? {};

test("a rule is two chains, an element in each dispatch, and a protected address", () => {
  expect(nft({ destinations: ["192.0.2.1"], ports: [80] })).toEqual({
    "table inet lbshield": "layout synproxy",
    [`chain ${PREFIX}prerouting`]: "notrack",
    [`chain ${PREFIX}input`]: "synproxy mss 1460; drop",
    "element prerouting4 { 192.0.2.1 . 80 }": `goto ${PREFIX}prerouting`,
    "element input4 { 192.0.2.1 . 80 }": `goto ${PREFIX}input`,
    "element protected4 { 192.0.2.1 }": "in the set",
  });
});

test.each<[SynproxyRuleArgs["options"], string]>([
  [undefined, "synproxy mss 1460; drop"],
  [{ mss: 1400 }, "synproxy mss 1400; drop"],
  [{ timestamp: true }, "synproxy mss 1460 wscale 7 timestamp; drop"],
  [{ timestamp: true, wscale: 0 }, "synproxy mss 1460 wscale 0 timestamp; drop"],
  [{ timestamp: true, wscale: 14, sackPerm: true }, "synproxy mss 1460 wscale 14 timestamp sack-perm; drop"],
])("options %j are the statement %s", (options, text) => {
  expect(nft({ destinations: ["192.0.2.1"], ports: [80] }, options)[`chain ${PREFIX}input`]).toBe(text);
});

test("the keys are every combination, each in the map of its tier", () => {
  const match = { destinations: ["192.0.2.1", "192.0.2.2"], ports: [80, "8000-8010"] };
  const keys = (lines: Record<string, string>) => Object.keys(lines).filter((id) => id.startsWith("element input"));
  expect(keys(nft(match))).toEqual([
    "element input4 { 192.0.2.1 . 80 }",
    "element input4 { 192.0.2.2 . 80 }",
    "element input4-range { 192.0.2.1 . 8000-8010 }",
    "element input4-range { 192.0.2.2 . 8000-8010 }",
  ]);
  expect(keys(nft({ ...match, destinations: ["192.0.2.1"], interfaces: ["eth0", "eth1"] }))).toEqual([
    'element input4-if { "eth0" . 192.0.2.1 . 80 }',
    'element input4-if { "eth1" . 192.0.2.1 . 80 }',
    'element input4-if-range { "eth0" . 192.0.2.1 . 8000-8010 }',
    'element input4-if-range { "eth1" . 192.0.2.1 . 8000-8010 }',
  ]);
});

test("it claims the values without which SYNPROXY does not work, and the stronger ones serve as well", () => {
  const values = compiled({ destinations: ["192.0.2.1"], ports: [80] }).wanted.flatMap(({ object, shared }) =>
    object.kind === "sysctl" ? [{ ...object, shared }] : [],
  );
  const claim = { kind: "sysctl", shared: true };
  expect(values).toEqual([
    { ...claim, key: "net.netfilter.nf_conntrack_tcp_loose", value: "0" },
    { ...claim, key: "net.ipv4.tcp_syncookies", value: "1", accepts: ["2"] },
    { ...claim, key: "net.ipv4.tcp_timestamps", value: "1", accepts: ["2"] },
  ]);
});

test("every map and set that its elements are in is part of its layout", () => {
  const { needs, wanted } = compiled({ destinations: ["192.0.2.1"], ports: [80, "1-9"], interfaces: ["eth0"] });
  const standing = byId(LAYOUT.filter((l) => needs.includes(l.name)).flatMap((l) => l.objects));
  const of = wanted.flatMap(({ object }) => (object.kind === "element" ? [object.of] : []));
  for (const name of of) expect(standing.has(`map ${name}`) || standing.has(`set ${name}`)).toBe(true);
  expect(new Set(wanted.map((w) => objectId(w.object))).size).toBe(wanted.length);
});
