import { type Change } from "../../../provider/engine/plan";
import { type Guard, mustProve } from "../../../provider/engine/reach";
import { type SessionFacts, type Snapshot } from "../../../provider/engine/snapshot";
import { chain } from "../../../provider/kernel/nftables/objects";
import { own } from "../../../provider/kernel/object";
import { sysctl } from "../../../provider/kernel/sysctl/sysctl";
import { FRESH, after, planFor, rule, tuning } from "./paper-host";

const put = (...of: Parameters<typeof rule>): Change => ({ put: rule(...of) });
const web = rule("acme/prod/web", ["203.0.113.1 . 80"]);
const host = after(FRESH, { put: web });

const SSH = { address: "192.0.2.1", port: 22 };

/** Is a change confirmed over a new connection, when we came in by SSH to 192.0.2.1, port 22? */
function proves(
  changes: readonly Change[],
  before: Snapshot = host,
  entry?: SessionFacts["entry"],
  guard: Guard = "auto",
) {
  const session = { folder: "", ...(entry ? { entry } : {}) };
  return mustProve(guard, planFor(changes, before), before.nft, session);
}

describe("the key of a rule", () => {
  test.each<[string, string, boolean]>([
    ["our address and port", "192.0.2.1 . 22", true],
    ["another port of our address", "192.0.2.1 . 80", false],
    ["our port of another address", "192.0.2.2 . 22", false],
    ["a range of ports around ours", "192.0.2.1 . 20-22", true],
    ["a range of ports beside ours", "192.0.2.1 . 23-1000", false],
    ["a range of addresses around ours", "192.0.2.0-192.0.2.255 . 22", true],
    ["a range of addresses beside ours", "192.0.2.2-192.0.2.255 . 22", false],
    ["a network, which may be ours", "192.0.2.0/24 . 22", true],
    ["a network, and another port", "192.0.2.0/24 . 80", false],
    ["an interface, which may be ours", '"eth0" . 192.0.2.1 . 22', true],
    ["an interface, and another address", '"eth0" . 192.0.2.2 . 22', false],
    ["an interface, and another port", '"eth0" . 192.0.2.1 . 23', false],
    ["an interface alone", '"eth0"', true],
    ["our port of any address", "22", true],
    ["our address, any port", "192.0.2.1", true],
  ])("with %s (%s): %p", (_name, key, expected) => {
    expect(proves([put("acme/prod/x", [key])], host, SSH)).toBe(expected);
  });

  test.each<[string, boolean]>([
    ["2001:db8::1 . 22", true],
    ["2001:db8::2 . 22", false],
    ["2001:db8::1 . 23", false],
    ["2001:db8::/32 . 1-1023", true],
    ["2001:db9::/32 . 22", false],
    ["2001:db8::-2001:db8::ff . 22", true],
    ["::/0 . 22", true],
    ['"eth0" . 2001:db8::1 . 22', true],
    ["2001:db8:9::/48 . 2001:db8::1 . 22", true],
    ["2001:db8:9::/48 . 2001:db8::2 . 22", false],
    // IPv4 rules see no IPv6 packets.
    ["203.0.113.1 . 22", false],
    ["0.0.0.0/0 . 0-65535", false],
  ])("%s, when we came in by IPv6, may be our address: %p", (key, expected) => {
    expect(proves([put("acme/prod/x", [key])], host, { ...SSH, address: "2001:db8::1" })).toBe(expected);
  });

  test.each(["2001:db8::/64 . 22", "192.0.2.0/24 . 22"])(
    "%s, when we came in by an address that cannot be read, may be ours",
    (key) => {
      expect(proves([put("acme/prod/x", [key])], host, { ...SSH, address: "fe80::1%eth0" })).toBe(true);
    },
  );
});

describe("a rule that leads our own packets", () => {
  const ssh = rule("acme/prod/ssh", ["192.0.2.1 . 22"]);
  const guarded = after(host, { put: ssh });
  const more = own(chain("demo/acme/prod/ssh/more", ["accept"]));

  test.each<[string, Change, boolean]>([
    ["that is removed", { remove: ssh }, true],
    ["whose chains change, not its key", { put: { ...ssh, wanted: [...ssh.wanted, more] } }, true],
    ["whose key becomes another one", put("acme/prod/ssh", ["192.0.2.2 . 22"]), true],
    ["beside which another rule changes", put("acme/prod/web", ["203.0.113.1 . 81"]), false],
    ["beside which another rule goes", { remove: web }, false],
  ])("%s: %p", (_name, change, expected) => {
    expect(proves([change], guarded, SSH)).toBe(expected);
  });
});

test.each<[string, Change, Snapshot, boolean]>([
  ["come with the first rule", { put: web }, FRESH, true],
  ["go with the last one", { remove: web }, host, true],
  ["stay as they are", put("acme/prod/x", ["203.0.113.2 . 80"]), host, false],
])("the chains that all packets pass through %s", (_name, change, before, expected) => {
  expect(proves([change], before, SSH)).toBe(expected);
});

describe("values", () => {
  test.each([
    ["net.netfilter.nf_conntrack_tcp_loose", true],
    ["net.netfilter.nf_conntrack_tcp_be_liberal", true],
    ["net.netfilter.nf_conntrack_max", true],
    ["net.ipv4.tcp_syncookies", true],
    ["/sys/module/nf_conntrack/parameters/hashsize", true],
    ["net.netfilter.nf_conntrack_acct", false],
    ["net.netfilter.nf_conntrack_timestamp", false],
    ["net.netfilter.nf_conntrack_log_invalid", false],
    ["net.netfilter.nf_conntrack_udp_timeout_stream", false],
    ["net.netfilter.nf_conntrack_generic_timeout", false],
  ])("%s: %p", (key, expected) => {
    const before = { ...host, sysctl: new Map([[key, "1"]]) };
    expect(proves([{ put: tuning("acme/prod/t", sysctl(key, 2)) }], before, SSH)).toBe(expected);
    // What is right already is not written.
    expect(proves([{ put: tuning("acme/prod/t", sysctl(key, 1)) }], before, SSH)).toBe(false);
  });
});

describe("whatever changes,", () => {
  const cutting = put("acme/prod/x", ["192.0.2.1 . 22"]);

  test.each<[string, Guard, Change[], SessionFacts["entry"], boolean]>([
    ["auto, not over SSH", "auto", [cutting], undefined, false],
    ["always, not over SSH", "always", [cutting], undefined, true],
    ["always, and nothing changes", "always", [], SSH, true],
    ["never", "never", [cutting], SSH, false],
  ])("%s: %p", (_name, guard, changes, entry, expected) => {
    expect(proves(changes, host, entry, guard)).toBe(expected);
  });
});
