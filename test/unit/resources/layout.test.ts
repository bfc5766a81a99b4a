import { type NftObject, byId, nftText } from "../../../provider/kernel/nftables/objects";
import { nftScript } from "../../../provider/kernel/nftables/script";
import { DISPATCHES, LAYOUT, TIERS, readTierElement, tierElement, tierMap } from "../../../provider/resources/layout";
import { FakeTable } from "../kernel/nftables/fake-table";

const objects = byId(LAYOUT.flatMap((l) => l.objects));
const text = (id: string): string => {
  const found: NftObject | undefined = objects.get(id);
  return found === undefined ? "absent" : nftText(found);
};

test("the needs lead nowhere that is not there", () => {
  const fake = new FakeTable("inet lbshield");
  fake.run(nftScript("inet lbshield", new Map(), objects).map((line) => line.text));
  expect([...fake.objects().keys()].toSorted()).toEqual([...objects.keys()].toSorted());
});

describe("what the measurements ask for", () => {
  test("SYNs are told by four flags: SYN-ACKs do not match, SYNs with ECN do", () => {
    expect(text("chain prerouting")).toContain("tcp flags & (fin|syn|rst|ack) == syn jump prerouting-dispatch");
  });

  test("input stands before an operator's filter, prerouting at raw, output before raw", () => {
    expect(text("chain input")).toContain("type filter hook input priority -5; policy accept");
    expect(text("chain prerouting")).toContain("type filter hook prerouting priority -300; policy accept");
    expect(text("chain output")).toContain("type filter hook output priority -305; policy accept");
  });

  test("only the proxy's own SYN-ACKs go untracked, and only those of protected addresses", () => {
    expect(text("chain output")).toMatch(/ == \(syn\|ack\) tcp window 0 ip saddr @protected4 notrack$/);
  });
});

test.each(DISPATCHES)("%s looks in its maps from the most to the least specific", (dispatch) => {
  expect(text(`chain ${dispatch}-dispatch`)).toBe(
    [
      `iifname . ip daddr . tcp dport vmap @${dispatch}4-if`,
      `iifname . ip daddr . tcp dport vmap @${dispatch}4-if-range`,
      `ip daddr . tcp dport vmap @${dispatch}4`,
      `ip daddr . tcp dport vmap @${dispatch}4-range`,
    ].join("; "),
  );
});

test.each(TIERS)("the map of tier %s holds ranges if its name says so", (tier) => {
  expect(text(`map ${tierMap("input", tier)}`).endsWith("flags interval")).toBe(tier.endsWith("range"));
});

describe("an element", () => {
  test.each([
    [{ address: "192.0.2.1", port: "80" }, "input4", "192.0.2.1 . 80"],
    [{ address: "192.0.2.1", port: "80-90" }, "input4-range", "192.0.2.1 . 80-90"],
    [{ iface: "eth0", address: "192.0.2.1", port: "80" }, "input4-if", '"eth0" . 192.0.2.1 . 80'],
    [{ iface: "a,b", address: "192.0.2.1", port: "80-90" }, "input4-if-range", '"a,b" . 192.0.2.1 . 80-90'],
  ])("of %j is in %s and is read back", (key, of, written) => {
    const element = tierElement("input", key, "x/y/z/w/input");
    expect(element).toEqual({ kind: "element", of, key: written, value: "goto x/y/z/w/input" });
    expect(readTierElement(element)).toEqual(key);
  });

  test.each(["192.0.2.1", "192.0.2.0/24 . 80", "2001:db8::1 . 80", '"eth0" . 80', "192.0.2.1 . http"])(
    "with the key %s is none of ours",
    (key) => {
      expect(readTierElement({ kind: "element", of: "input4", key })).toBeUndefined();
    },
  );
});
