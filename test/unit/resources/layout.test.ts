import { FAMILIES } from "../../../provider/addresses";
import { type NftObject, byId, chain, nftText } from "../../../provider/kernel/nftables/objects";
import { isNft } from "../../../provider/kernel/object";
import { nftScript } from "../../../provider/kernel/nftables/script";
import {
  DEFAULT_MARK,
  DISPATCHES,
  type KeyParts,
  LAYOUT,
  PROTECTED_ANY,
  TIERS,
  type Tier,
  needMark,
  needSeen,
  protectedSet,
  readTierElement,
  tierElement,
  tierKey,
  tierMap,
} from "../../../provider/resources/layout";
import { compile } from "../../../provider/resources/synproxy-rule/compile";
import { type SynproxyRuleArgs, synproxyRule } from "../../../provider/resources/synproxy-rule/model";
import { FakeTable } from "../kernel/nftables/fake-table";

const MARK = needMark(DEFAULT_MARK);
const MAPS = DISPATCHES.flatMap((d) => FAMILIES.flatMap((f) => TIERS.map((t) => tierMap(d, f, t))));
const ALL = [MARK, ...MAPS, ...FAMILIES.map(protectedSet)];

const made = (...needs: readonly string[]): Map<string, NftObject> => byId(LAYOUT.objectsFor(new Set(needs)));
const textIn = (objects: ReadonlyMap<string, NftObject>, id: string): string => {
  const found = objects.get(id);
  return found === undefined ? "absent" : nftText(found);
};
const text = (id: string): string => textIn(made(...ALL), id);

describe("nothing in it leads to what is not there", () => {
  test.each([
    ["all of it", ALL],
    ["one exact rule", [MARK, "prerouting4", "input4", "own4", "protected4"]],
    ["one rule by interface", [MARK, "prerouting6-if", "input6-if", "protected6"]],
    ["forward alone", [MARK, "prerouting4-wide", "forward4-wide", "own4-wide", PROTECTED_ANY]],
    ["nothing but the mark", [MARK]],
  ])("%s", (_name, needs) => {
    const fake = new FakeTable("inet lbshield");
    const objects = made(...needs);
    fake.run(nftScript("inet lbshield", new Map(), objects).map((line) => line.text));
    expect([...fake.objects().keys()].toSorted()).toEqual([...objects.keys()].toSorted());
  });
});

describe("no more of it is there than what is needed", () => {
  test("nothing for nobody", () => {
    expect(made().size).toBe(0);
    // Without its mark a need is nobody's of today.
    expect(made("input4").size).toBe(0);
  });

  test("for one rule", () => {
    expect([...made(MARK, "prerouting4", "input4", "own4", "protected4").keys()].toSorted()).toEqual([
      "chain input",
      "chain input-dispatch",
      "chain output",
      "chain own-accept",
      "chain own-dispatch",
      "chain own-output",
      "chain own-syn",
      "chain prerouting",
      "chain prerouting-dispatch",
      "map input4",
      "map own4",
      "map prerouting4",
      "set protected4",
    ]);
  });

  test("NAT in prerouting only where connections go past the proxy", () => {
    expect(made(MARK, "dnat4").has("chain nat-prerouting")).toBe(true);
    expect(made(MARK, ...MAPS.filter((m) => !m.startsWith("dnat"))).has("chain nat-prerouting")).toBe(false);
  });

  test("what several need is there once, in whatever order they name it", () => {
    expect([...made(...ALL, ...ALL.toReversed()).values()]).toEqual([...made(...ALL.toReversed()).values()]);
  });
});

describe("what the measurements ask for", () => {
  test("SYNs are told by four flags: SYN-ACKs do not match, SYNs with ECN do", () => {
    expect(text("chain prerouting")).toContain("tcp flags & (fin|syn|rst|ack) == syn jump prerouting-dispatch");
  });

  test.each([
    ["prerouting", "type filter hook prerouting priority -300; policy accept"],
    ["nat-prerouting", "type nat hook prerouting priority -105; policy accept"],
    ["input", "type filter hook input priority -5; policy accept"],
    ["forward", "type filter hook forward priority -5; policy accept"],
    ["output", "type filter hook output priority -305; policy accept"],
    ["own-output", "type nat hook output priority -105; policy accept"],
  ])("%s stands where it must", (name, hook) => {
    expect(text(`chain ${name}`).startsWith(`${hook}; `)).toBe(true);
  });

  test("only the proxy's own SYN is marked, and the bits of others stay", () => {
    expect(text("chain output")).toContain("tcp flags & (fin|syn|rst|ack) == syn ct state new jump own-syn");
    expect(text("chain own-syn")).toBe("ct direction original return; meta mark set meta mark | 0x10000000");
  });

  test("only what is marked meets our NAT, which leaves nothing to the NAT of others", () => {
    expect(text("chain own-output")).toContain(
      "meta mark & 0x10000000 != 0x00000000 tcp flags & (fin|syn|rst|ack) == syn jump own-dispatch",
    );
    expect(text("chain own-dispatch").endsWith("; goto own-accept")).toBe(true);
    expect(text("chain own-accept")).toBe("dnat ip to ip daddr; dnat ip6 to ip6 daddr");
  });

  test("another mark is another bit in both", () => {
    const objects = made(needMark(1), "own4");
    expect(textIn(objects, "chain own-syn")).toContain("meta mark | 0x00000001");
    expect(textIn(objects, "chain own-output")).toContain("meta mark & 0x00000001 != 0x00000000");
  });

  test("only the proxy's own SYN-ACKs go untracked, and only those of protected addresses", () => {
    expect(text("chain output")).toMatch(
      / == \(syn\|ack\) tcp window 0 ip saddr @protected4 notrack; .* tcp window 0 ip6 saddr @protected6 notrack$/,
    );
  });

  test("unless these are not known one by one", () => {
    const objects = made(MARK, "protected4", PROTECTED_ANY);
    expect(textIn(objects, "chain output")).toMatch(/ == \(syn\|ack\) tcp window 0 notrack$/);
    expect(objects.has("set protected4")).toBe(true);
  });
});

test.each(DISPATCHES)("%s looks in its maps from the most to the least specific", (dispatch) => {
  const lookups = text(`chain ${dispatch}-dispatch`)
    .split("; ")
    .filter((rule) => rule.includes("vmap"));
  expect(lookups).toEqual(
    (["ip", "ip6"] as const).flatMap((ip) => {
      const map = `vmap @${dispatch}${ip === "ip" ? "4" : "6"}`;
      return [
        `iifname . ${ip} saddr . ${ip} daddr . tcp dport ${map}-if-src`,
        `${ip} saddr . ${ip} daddr . tcp dport ${map}-src`,
        `iifname . ${ip} daddr . tcp dport ${map}-if`,
        `iifname . ${ip} daddr . tcp dport ${map}-if-range`,
        `${ip} daddr . tcp dport ${map}`,
        `${ip} daddr . tcp dport ${map}-range`,
        `${ip} daddr . tcp dport ${map}-wide`,
      ];
    }),
  );
});

test("what was seen at input goes before every key", () => {
  const prefix = "synproxy/acme/prod/web/";
  expect(textIn(made(MARK, "own6", needSeen(6, prefix)), "chain own-dispatch")).toBe(
    [
      `ip6 saddr . tcp sport . ip6 daddr . tcp dport @${prefix}seen6 goto ${prefix}own`,
      "ip6 daddr . tcp dport vmap @own6",
      "goto own-accept",
    ].join("; "),
  );
});

test.each(TIERS)("the maps of tier %s are hashes where their keys are single values", (tier) => {
  for (const family of FAMILIES) {
    const found = text(`map ${tierMap("input", family, tier)}`);
    expect(found.endsWith("flags interval")).toBe(!["exact", "if"].includes(tier));
    expect(found.split(" : ")[0]?.includes("ifname")).toBe(tier.startsWith("if"));
    expect(found.match(/ipv[46]_addr/g)).toHaveLength(tier.endsWith("src") ? 2 : 1);
  }
});

describe("an element", () => {
  test.each<[KeyParts, boolean, Tier, string]>([
    [{ destination: "192.0.2.1", port: "80" }, false, "exact", "192.0.2.1 . 80"],
    [{ destination: "192.0.2.1", port: "80-90" }, false, "range", "192.0.2.1 . 80-90"],
    [{ destination: "192.0.2.0/24", port: "80" }, false, "range", "192.0.2.0/24 . 80"],
    [{ destination: "192.0.2.1-192.0.2.9", port: "80" }, false, "range", "192.0.2.1-192.0.2.9 . 80"],
    [{ destination: "0.0.0.0/0", port: "80" }, true, "wide", "0.0.0.0/0 . 80"],
    [{ destination: "192.0.2.1", port: "0-65535" }, true, "wide", "192.0.2.1 . 0-65535"],
    [{ destination: "2001:db8::1", port: "80" }, false, "exact", "2001:db8::1 . 80"],
    [{ iface: "eth0", destination: "192.0.2.1", port: "80" }, false, "if", '"eth0" . 192.0.2.1 . 80'],
    [{ iface: "a,b", destination: "192.0.2.1", port: "1-9" }, false, "if-range", '"a,b" . 192.0.2.1 . 1-9'],
    [{ iface: "a-b", destination: "2001:db8::1", port: "80" }, false, "if", '"a-b" . 2001:db8::1 . 80'],
    [{ iface: "eth0", destination: "0.0.0.0/0", port: "80" }, true, "if-range", '"eth0" . 0.0.0.0/0 . 80'],
    [{ source: "10.0.0.1", destination: "192.0.2.1", port: "80" }, false, "src", "10.0.0.1 . 192.0.2.1 . 80"],
    [
      { iface: "eth0", source: "10.0.0.0/8", destination: "::/0", port: "0-65535" },
      true,
      "if-src",
      '"eth0" . 10.0.0.0/8 . ::/0 . 0-65535',
    ],
  ])("of %j (wide: %p) is of tier %s and is read back", (parts, wide, tier, key) => {
    const family = parts.destination.includes(":") ? 6 : 4;
    const element = tierElement("input", family, tierKey(parts, wide), "goto x/y/z/w/input");
    expect(element).toEqual({ kind: "element", of: tierMap("input", family, tier), key, value: "goto x/y/z/w/input" });
    expect(readTierElement(element)).toEqual({ dispatch: "input", family, tier, ...parts });
  });

  test.each([
    ["input4", "192.0.2.1"],
    ["input4", '"eth0" . 80'],
    ["input4", "192.0.2.1 . http"],
    ["input4", "192.0.2.1 . 80 . 443"],
    ["input4-if", '"eth0" . 192.0.2.1'],
    ["input4-elsewhere", "192.0.2.1 . 80"],
    ["input5", "192.0.2.1 . 80"],
    ["protected4", "192.0.2.1"],
  ])("in %s with the key %s is none of ours", (of, key) => {
    expect(readTierElement({ kind: "element", of, key })).toBeUndefined();
  });
});

describe("a table whose ledger is lost tells what it was made for", () => {
  const rules: Record<string, SynproxyRuleArgs> = {
    web: { chain: "input", match: { destinations: ["192.0.2.1"], ports: [80] } },
    net: { chain: "forward", match: { destinations: ["198.51.100.0/24"] }, family: "ipv4" },
    six: { chain: "input", match: { destinations: ["2001:db8::1"], ports: ["1-9"], notInterfaces: ["lo"] }, log: true },
    past: { chain: "input", match: { ports: [25] }, action: { redirect: 2525 }, protectAbove: "9/second" },
    trap: { chain: "input", match: { ports: [23] }, action: { trap: { set: "scanners", timeout: 60 } }, mark: "0x1" },
  };
  const standing = (...names: string[]) => {
    const declared = names.map((name) => {
      const model = synproxyRule.parse(rules[name]);
      return compile(`synproxy/acme/prod/${name}/`, { ...model, mark: model.mark ?? 1 });
    });
    const needs = declared.flatMap((d) => d.needs);
    const own = declared.flatMap((d) => d.wanted.flatMap(({ object }) => (isNft(object) ? [object] : [])));
    return { needs, nft: byId([...LAYOUT.objectsFor(new Set(needs)), ...own]) };
  };
  const again = (nft: ReadonlyMap<string, NftObject>) =>
    [...LAYOUT.objectsFor(new Set(LAYOUT.needsOf(nft)))].map((o) => JSON.stringify(o)).toSorted();

  test.each([[["web"]], [["net"]], [["six"]], [["past"]], [["trap"]], [Object.keys(rules)]])("%j", (names) => {
    const { needs, nft } = standing(...names);
    expect(again(nft)).toEqual([...LAYOUT.objectsFor(new Set(needs))].map((o) => JSON.stringify(o)).toSorted());
  });

  test("by whichever chain still has the mark", () => {
    const { nft } = standing("web");
    const flushed = byId([...nft.values(), chain("own-syn", [])]);
    expect(again(flushed)).toEqual(again(nft));
    const both = byId([...flushed.values(), chain("own-output", [])]);
    expect(LAYOUT.needsOf(both)).toContain(MARK);
  });

  test("and an empty one nothing", () => {
    expect(LAYOUT.needsOf(new Map())).toEqual([]);
  });
});
