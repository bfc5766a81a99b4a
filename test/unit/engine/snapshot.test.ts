import { ledgerHead, printRecord, toRecord } from "../../../provider/engine/ledger";
import { type Interest, Reader, covers, interestOf, union } from "../../../provider/engine/snapshot";
import { nftText } from "../../../provider/kernel/nftables/objects";
import { shared } from "../../../provider/kernel/object";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { FRESH, after, printAnswer, rule, tuning, withValue } from "./paper-host";

const records = [rule("acme/prod/web", ["192.0.2.1 . 80"]), tuning("acme/prod/t", sysctl("net.a", 1))].map(toRecord);

const UNDONE = "undone\tacme/prod (2 resources)\tnobody confirmed it in time";

const ANSWER = `@@undone
${UNDONE}
@@session
/run/lbshield/aB3dE6	198.51.100.7 50000 192.0.2.1 22
@@nft
table ip lbshield {
	chain theirs {
	}
}
table inet lbshield {
	set hosts {
		type ipv4_addr
	}

	chain input {
		comment "@@end"
		accept
	}
}
table inet lbshield {
	set hosts {
		type ipv4_addr
		elements = { 192.0.2.1 }
	}
}
@@sysctl
net.netfilter.nf_conntrack_tcp_loose	1
net.ipv4.tcp_mem	4096	131072	6291456
@@ledger
${ledgerHead("t1")}
original	net.netfilter.nf_conntrack_tcp_loose	0
original	net.ipv4.conf.eth0/100.rp_filter	2
${records.map((r) => `record\t${r.name}\t${printRecord(r)}`).join("\n")}
@@end
`;

describe("a look at a host", () => {
  const seen = new Reader().parse(ANSWER);

  test("shows the objects of our table alone", () => {
    expect([...seen.nft].map(([id, o]) => [id, nftText(o)])).toEqual([
      ["set hosts", "type ipv4_addr"],
      ["chain input", "accept"],
      ["element hosts { 192.0.2.1 }", ""],
    ]);
  });

  test("shows values, several numbers with one space between them", () => {
    expect(seen.sysctl).toEqual(
      new Map([
        ["net.netfilter.nf_conntrack_tcp_loose", "1"],
        ["net.ipv4.tcp_mem", "4096 131072 6291456"],
      ]),
    );
  });

  test("shows what the ledger remembers, and which transaction wrote it", () => {
    expect(seen.transaction).toBe("t1");
    expect([...seen.records.values()]).toEqual(records);
    expect(seen.originals).toEqual(
      new Map([
        ["net.netfilter.nf_conntrack_tcp_loose", "0"],
        ["net.ipv4.conf.eth0/100.rp_filter", "2"],
      ]),
    );
  });

  test("shows what the host has undone by itself", () => {
    expect(seen.undone).toEqual([UNDONE]);
  });

  test("may find nothing at all, and nothing that was undone", () => {
    expect(new Reader().parse("@@session\n/run/lbshield/aB3dE6\t\n@@nft\n\n@@sysctl\n@@ledger\n@@end\n")).toEqual({
      nft: new Map(),
      sysctl: new Map(),
      objects: new Map(),
      session: { folder: "/run/lbshield/aB3dE6" },
      undone: [],
      transaction: undefined,
      records: new Map(),
      originals: new Map(),
      boot: new Map(),
    });
  });

  const parts = ANSWER.split(/^(?=@@)/m);

  test.each(parts.map((_, i) => i))("that is cut off is an error, not an emptier host: after %s parts", (count) => {
    expect(() => new Reader().parse(parts.slice(0, count).join(""))).toThrow("the host's answer ends in the middle");
  });
});

test.each([
  ["198.51.100.7 50000 192.0.2.1 22", { address: "192.0.2.1", port: 22 }],
  ["2001:db8::7 50000 2001:db8::1 2222", { address: "2001:db8::1", port: 2222 }],
  ["::ffff:198.51.100.7 50000 ::ffff:192.0.2.1 22", { address: "192.0.2.1", port: 22 }],
  ["", undefined],
])("an SSH connection of %j came in by %j", (ssh, entry) => {
  const { session } = new Reader().parse(ANSWER.replace("198.51.100.7 50000 192.0.2.1 22", ssh));
  expect(session).toEqual({ folder: "/run/lbshield/aB3dE6", ...(entry ? { entry } : {}) });
});

describe("a host that is looked at again", () => {
  const host = after(
    FRESH,
    { put: rule("acme/prod/web", ["192.0.2.1 . 80", "192.0.2.2 . 80"], [sysctl("net.a", 11)]) },
    { put: rule("acme/prod/api", ["192.0.2.1 . 443"]) },
  );

  test("is read as it is", () => {
    expect(new Reader().parse(printAnswer(host))).toEqual(host);
  });

  test("gives the very objects of the last time, but for those that have changed", () => {
    const reader = new Reader();
    const first = reader.parse(printAnswer(host));
    const changed = after(host, { put: rule("acme/prod/api", ["192.0.2.1 . 444"]) });
    const second = reader.parse(printAnswer(withValue(changed, "net.b", "21")));
    expect(second).toEqual(withValue(changed, "net.b", "21"));
    const same = <T>(one: ReadonlyMap<string, T>, other: ReadonlyMap<string, T>) =>
      [...other.keys()].filter((id) => one.get(id) === other.get(id)).toSorted();
    expect(same(first.nft, second.nft)).toEqual([
      "chain demo/acme/prod/api/in",
      "chain demo/acme/prod/web/in",
      "chain input",
      "element hosts { 192.0.2.1 }",
      "element hosts { 192.0.2.2 }",
      "element ports { 192.0.2.1 . 80 }",
      "element ports { 192.0.2.2 . 80 }",
    ]);
    expect(same(first.records, second.records)).toEqual(["demo/acme/prod/web"]);
  });

  test("tells elements of two sets apart, though they are written alike", () => {
    const answer = (name: string) =>
      `@@nft\ntable inet lbshield {\n\tset ${name} {\n\t\telements = { 192.0.2.1 }\n\t}\n}\n@@end\n`;
    const reader = new Reader();
    expect(["one", "two"].map((name) => [...reader.parse(answer(name)).nft.keys()][1])).toEqual([
      "element one { 192.0.2.1 }",
      "element two { 192.0.2.1 }",
    ]);
  });
});

describe("a look", () => {
  const interest = (...keys: string[]): Interest => interestOf(keys.map((key) => shared(sysctl(key, 1))));

  test("is for the values that are wanted, and the table in any case", () => {
    expect(
      interestOf(rule("acme/prod/web", ["192.0.2.1 . 80"], [sysctl("net.a", 1), sysctl("net.b", 1)]).wanted),
    ).toEqual(interest("net.a", "net.b"));
    expect(interest()).toEqual({ sysctls: new Set(), objects: [] });
  });

  test.each([
    [["net.a", "net.b"], ["net.a"], true],
    [["net.a"], ["net.a"], true],
    [["net.a"], [], true],
    [["net.a"], ["net.a", "net.b"], false],
    [[], ["net.a"], false],
  ])("at %j covers %j: %p", (one, other, expected) => {
    expect(covers(interest(...one), interest(...other))).toBe(expected);
    expect(covers(union(interest(...one), interest(...other)), interest(...other))).toBe(true);
  });
});
