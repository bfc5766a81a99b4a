import { parseSnapshot } from "../../../provider/engine/snapshot";
import { printRecord, toRecord } from "../../../provider/engine/ledger";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { nftText } from "../../../provider/kernel/nftables/objects";
import { rule, tuning } from "./paper-host";

const records = [rule("acme/prod/web", ["192.0.2.1 . 80"]), tuning("acme/prod/t", sysctl("net.a", 1))].map(toRecord);

const ANSWER = `@@nft
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
${records.map(printRecord).join("\n")}
@@original
net.netfilter.nf_conntrack_tcp_loose	0
net.ipv4.conf.eth0:100.rp_filter	2
@@end
`;

describe("a look at a host", () => {
  const seen = parseSnapshot(ANSWER);

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

  test("shows the ledger's records, and originals by the keys that their files' names say", () => {
    expect(seen.records).toEqual(records);
    expect(seen.originals).toEqual(
      new Map([
        ["net.netfilter.nf_conntrack_tcp_loose", "0"],
        ["net.ipv4.conf.eth0/100.rp_filter", "2"],
      ]),
    );
  });

  test("may find nothing at all", () => {
    expect(parseSnapshot("@@nft\n\n@@sysctl\n@@ledger\n@@original\n@@end\n")).toEqual({
      nft: new Map(),
      sysctl: new Map(),
      records: [],
      originals: new Map(),
    });
  });

  test.each([0, 1, 2, 4])("that is cut off is an error, not an emptier host: after %s parts", (parts) => {
    const cut = ANSWER.split(/^(?=@@)/m)
      .slice(0, parts)
      .join("");
    expect(() => parseSnapshot(cut)).toThrow("the host's answer ends in the middle");
  });
});
