import { type Observed } from "../../../../provider/engine/snapshot";
import { type NftObject, byId, chain } from "../../../../provider/kernel/nftables/objects";
import { isNft } from "../../../../provider/kernel/object";
import { LOAD_BALANCER } from "../../../../provider/resources/load-balancer";
import { type LoadBalancerArgs } from "../../../../provider/resources/load-balancer/model";

const PREFIX = "lb/acme/prod/lb.1/";
const rule = (ports: number[]) => ({ chain: "input" as const, match: { destinations: ["192.0.2.1"], ports } });
const args: LoadBalancerArgs = {
  conntrack: { accounting: true, synCookies: true },
  synproxyRules: { web: rule([80, 443]), dmz: rule([8080]) },
};

/** What a host shows once it is in place. */
function host(of = args): { nft: NftObject[]; sysctl: Map<string, string> } {
  const objects = LOAD_BALANCER.compile(PREFIX, LOAD_BALANCER.model.parse(of)).wanted.map((w) => w.object);
  return {
    nft: objects.filter(isNft),
    sysctl: new Map(objects.flatMap((o) => (o.kind === "sysctl" ? [[o.key, o.value] as const] : []))),
  };
}

const read = (nft: readonly NftObject[], sysctl: ReadonlyMap<string, string>, declared = args) => {
  const observed: Observed = { nft: byId(nft), sysctl, objects: new Map<string, never>() };
  return LOAD_BALANCER.decompile(PREFIX, observed, LOAD_BALANCER.model.parse(declared));
};
const { nft, sysctl } = host();
const model = LOAD_BALANCER.model.parse(args);

test("in place, it is what was declared", () => {
  expect(read(nft, sysctl)).toEqual(model);
});

test("a part sees only the values that it claims", () => {
  const declared: LoadBalancerArgs = { conntrack: { accounting: true }, synproxyRules: { web: rule([80]) } };
  const there = host(declared);
  expect(read(there.nft, there.sysctl, declared).conntrack).toEqual({ accounting: true });
});

test("what a hand has changed is in the part that it changed", () => {
  const changed = chain(`${PREFIX}synproxy.web.input`, ["synproxy mss 1400", "drop"]);
  expect(read([...nft, changed], new Map([...sysctl, ["net.ipv4.tcp_syncookies", "2"]]))).toEqual({
    conntrack: { ...model.conntrack, synCookies: "always" },
    synproxyRules: {
      ...model.synproxyRules,
      web: { ...model.synproxyRules?.web, options: { mss: 1400, timestamp: false, sackPerm: false } },
    },
  });
});

test("a part that nothing is left of is left out, the others stay", () => {
  expect(
    read(
      nft.filter((o) => !JSON.stringify(o).includes("synproxy.web")),
      sysctl,
    ),
  ).toEqual({
    conntrack: model.conntrack,
    synproxyRules: { dmz: model.synproxyRules?.dmz },
  });
});

test("without a table there are no rules, and values are as they are", () => {
  expect(read([], sysctl)).toEqual({ conntrack: model.conntrack, synproxyRules: {} });
});

test("where no arguments would give what is there, the part stays as declared and the others do not hide it", () => {
  const odd = nft.map((o) => (o.kind === "chain" && o.name.endsWith("web.input") ? chain(o.name, ["accept"]) : o));
  const changed = chain(`${PREFIX}synproxy.dmz.input`, ["synproxy mss 1400", "drop"]);
  expect(read([...odd, changed], sysctl).synproxyRules).toEqual({
    web: model.synproxyRules?.web,
    dmz: { ...model.synproxyRules?.dmz, options: { mss: 1400, timestamp: false, sackPerm: false } },
  });
});

test("what is under its name and in no part changes nothing", () => {
  const strangers = [chain(`${PREFIX}stranger`, []), chain(`${PREFIX}synproxy.more.input`, []), chain("x", [])];
  expect(read([...nft, ...strangers], sysctl)).toEqual(model);
});
