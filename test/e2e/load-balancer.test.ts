/** One host's whole configuration as one resource, through the real engine. */
import { Lab } from "../support/lab";
import { Project, type Ran, connectionTo } from "../support/project";

let lab: Lab;
let project: Project;
let before: string;

beforeAll(async () => {
  lab = await Lab.up("lbr", "10.86", 1);
  before = await lab.fingerprint(1);
  project = await Project.create({ env: { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey }, program: "" });
});

afterAll(async () => {
  project.remove();
  await lab.down();
});

const CONNTRACK = `{ tcpLoose: false, timeouts: { tcpEstablished: "5d", tcpTimeWait: 30 } }`;
const OPTIONS = "{ mss: 1460, wscale: 7, timestamp: true, sackPerm: true }";
const rule = (ports: string, n = 100, options = OPTIONS) =>
  `{ chain: "input", match: { destinations: ["${lab.host(1).vip(n)}"], ports: ${ports}, interfaces: ["eth1"] }, options: ${options} }`;

/** A program of a LoadBalancer with these rules, what stands before it, and its options. */
const declare = (rules: Record<string, string>, { conntrack = CONNTRACK, before = "", options = "{}" } = {}) => {
  const parts = Object.entries(rules).map(([name, text]) => `${JSON.stringify(name)}: ${text},`);
  project.program(`
const host = new lbshield.Host("host", { connection: ${connectionTo(lab.host(1))} });
${before}
new lbshield.LoadBalancer("lb1", {
  host,
  ${conntrack === "" ? "" : `conntrack: ${conntrack},`}
  synproxyRules: { ${parts.join("\n")} },
}, ${options});`);
};

const drift = () => project.run("refresh", "--preview-only", "--expect-no-changes", "--diff");
const ruleset = async () => (await lab.exec(1, "nft list ruleset")).stdout;
const changed = ({ text }: Ran) =>
  text
    .split("\n")
    .filter((line) => /^ +[-+~] /.test(line))
    .map((line) => line.trim());

// The steps of one life, in their order.
test("preview shows the host's own lines, and touches nothing", async () => {
  declare({ web: rule("[80, 443]"), dmz: rule('["8000-8080"]', 101) });
  const { code, text } = await project.run("preview", "--diff");
  expect(code).toBe(0);
  expect(text).toMatch(
    /chain lb\/shop\/test\/lb1\/synproxy.web.input +: "synproxy mss 1460 wscale 7 timestamp sack-perm; drop"/,
  );
  expect(text).toContain(`element prerouting4-if-range { "eth1" . ${lab.host(1).vip(101)} . 8000-8080 }`);
  expect(text).toMatch(/net\.netfilter\.nf_conntrack_tcp_timeout_established: "432000"/);
  expect(await lab.fingerprint(1)).toBe(before);
});

test("up applies them, as one resource", async () => {
  const { code, text } = await project.up();
  expect(text).toContain("+ 3 created");
  expect(code).toBe(0);
  expect(await ruleset()).toContain("goto lb/shop/test/lb1/synproxy.web.input");
  expect((await lab.client(`curl -s -m 5 http://${lab.host(1).vip()}/id`)).stdout).toBe("backend\n");
});

test("a second preview, a refresh, and a program in another order are empty", async () => {
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await drift()).toMatchObject({ code: 0 });
  declare({ dmz: rule('["8000-8080"]', 101), web: rule("[443, 80]") });
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
});

test("one more part shows its own lines alone, and is all that changes on the host", async () => {
  declare({ web: rule("[80, 443]"), dmz: rule('["8000-8080"]', 101), api: rule("[8443]", 102) });
  const preview = await project.run("preview", "--diff");
  const nft = changed(preview).filter((line) => /^[-+~] (chain|element|table|set|map) [a-z]/.test(line));
  expect(nft).toHaveLength(5);
  for (const line of nft) expect(line).toMatch(/^\+ (.*synproxy\.api\.|element protected4)/);
  expect(changed(preview)).toContain("+ api: {");
  const monitor = lab.exec(1, "timeout 60 nft monitor >/tmp/lbr-monitor & echo $! >/tmp/lbr-monitor.pid; wait", 90);
  await lab.exec(1, "until [ -s /tmp/lbr-monitor.pid ]; do sleep 0.1; done; sleep 0.5");
  expect(await project.up()).toMatchObject({ code: 0 });
  const said = (
    await lab.exec(1, 'sleep 0.5; kill "$(cat /tmp/lbr-monitor.pid)"; cat /tmp/lbr-monitor; rm /tmp/lbr-monitor*')
  ).stdout;
  await monitor;
  // Servers are asked for their options by means of a table that is there for a moment.
  const events = said
    .split("\n")
    .filter((line) => /^(add|delete|flush|insert|replace) /.test(line) && !line.includes("inet lbshield-learn-"));
  expect(events).not.toEqual([]);
  for (const line of events) expect(line).toMatch(/synproxy\.api\.|protected4/);
});

test("what somebody changed in one part is named by the drift run, and repaired", async () => {
  const chain = "inet lbshield lb/shop/test/lb1/synproxy.web.input";
  await lab.exec(
    1,
    `nft 'flush chain ${chain}; add rule ${chain} synproxy mss 1400 wscale 7 timestamp sack-perm; add rule ${chain} drop'`,
  );
  const seen = await drift();
  expect(seen.code).toBe(7);
  expect(seen.text).toMatch(/~ synproxyRules: \{\n +~ web: \{\n +~ options: \{\n +~ mss: 1460 => 1400/);
  expect(changed(seen).filter((line) => line.startsWith("~ chain"))).toEqual([
    '~ chain lb/shop/test/lb1/synproxy.web.input: "synproxy mss 1460 wscale 7 timestamp sack-perm; drop" => "synproxy mss 1400 wscale 7 timestamp sack-perm; drop"',
  ]);
  expect(await project.up("--refresh")).toMatchObject({ code: 0 });
  expect(await ruleset()).not.toContain("mss 1400");
  expect(await drift()).toMatchObject({ code: 0 });
});

test("a part that somebody removed is shown as gone, and comes back", async () => {
  const of = (part: string) => `lb/shop/test/lb1/synproxy.${part}`;
  const key = `"eth1" . ${lab.host(1).vip(102)} . 8443`;
  await lab.exec(
    1,
    `nft 'delete element inet lbshield input4-if { ${key} }; delete element inet lbshield prerouting4-if { ${key} }; delete chain inet lbshield ${of("api")}.input; delete chain inet lbshield ${of("api")}.prerouting'`,
  );
  const seen = await drift();
  expect(seen.code).toBe(7);
  expect(seen.text).toMatch(/~ synproxyRules: \{\n +- api: \{/);
  expect(await project.up("--refresh")).toMatchObject({ code: 0 });
  expect(await ruleset()).toContain(`goto ${of("api")}.input`);
  expect(await drift()).toMatchObject({ code: 0 });
});

test("parts that cannot both be are refused at preview, both named", async () => {
  declare(
    { web: rule("[80, 443]"), dmz: rule("[443]") },
    {
      conntrack: "{ tcpLoose: true }",
      before: `new lbshield.SynproxyRule("front", { host, ...${rule("[80]")} } as const);`,
    },
  );
  const { code, text } = await project.run("preview");
  expect(code).not.toBe(0);
  expect(text).toContain(
    `synproxyRules.web: "eth1" ${lab.host(1).vip()} port 443 is declared by synproxyRules.dmz as well`,
  );
  expect(text).toContain("net.netfilter.nf_conntrack_tcp_loose should be 0, but conntrack wants it to be 1");
});

test("what the host refuses names the part", async () => {
  const other = await Project.create({
    name: "billing",
    env: { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey },
    program: `
new lbshield.LoadBalancer("lb2", {
  host: ${connectionTo(lab.host(1))},
  synproxyRules: { front: ${rule("[81, 443]")}, more: ${rule("[82]")} },
});`,
  });
  const { code, text } = await other.up();
  expect(code).not.toBe(0);
  expect(text).toContain(
    `synproxyRules.front: "eth1" ${lab.host(1).vip()} port 443 already belongs to lb/shop/test/lb1 on this host`,
  );
  expect(await other.run("destroy", "--yes")).toMatchObject({ code: 0 });
  other.remove();
});

test("rules move in from resources of their own, and out again, in one up", async () => {
  const single = `const mail = new lbshield.SynproxyRule("mail", { host, ...${rule("[9090]", 102)} } as const);`;
  declare({ web: rule("[80, 443]") }, { before: single });
  expect(await project.up()).toMatchObject({ code: 0 });
  expect(await ruleset()).toContain("goto synproxy/shop/test/mail/input");
  declare({ web: rule("[80, 443]"), mail: rule("[9090]", 102) });
  const moved = await project.up();
  expect(moved.text).toMatch(/~ 1 updated\n +- 1 deleted/);
  expect(moved.code).toBe(0);
  expect(await ruleset()).toContain("goto lb/shop/test/lb1/synproxy.mail.input");
  expect(await ruleset()).not.toContain("synproxy/shop/test/mail");
  expect(await drift()).toMatchObject({ code: 0 });
  declare({ web: rule("[80, 443]") }, { before: single, options: "{ dependsOn: [mail] }" });
  expect(await project.up()).toMatchObject({ code: 0 });
  expect(await ruleset()).toContain("goto synproxy/shop/test/mail/input");
  expect(await ruleset()).not.toContain("synproxy.mail");
  expect(await drift()).toMatchObject({ code: 0 });
});

test("the last rule may go, and the values stay", async () => {
  declare({});
  expect(await project.up()).toMatchObject({ code: 0 });
  expect(await ruleset()).not.toContain("lbshield");
  expect((await lab.exec(1, "sysctl -n net.netfilter.nf_conntrack_tcp_timeout_time_wait")).stdout).toBe("30\n");
  expect(await drift()).toMatchObject({ code: 0 });
});

test("destroy leaves the host as it was", async () => {
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(1)).toBe(before);
});

test("a thousand rules: their times", async () => {
  const count = 1000;
  const rules = (mss: number) => {
    const parts = Array.from({ length: count }, (_, i) => {
      const address = `10.${(100 + (i >> 8)).toString()}.${(i & 255).toString()}.1`;
      return `r${i.toString()}: { chain: "input", match: { destinations: ["${address}"], ports: [80, 443] }, options: { mss: ${(i === 500 ? mss : 1460).toString()} } },`;
    });
    project.program(`
new lbshield.LoadBalancer("large", {
  host: ${connectionTo(lab.host(1))},
  synproxyRules: { ${parts.join("\n")} },
});`);
  };
  const times: string[] = [];
  const timed = async (what: string, step: () => Promise<Ran>) => {
    const begin = performance.now();
    const ran = await step();
    times.push(`${what} ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    expect(ran).toMatchObject({ code: 0 });
    return ran;
  };
  rules(1460);
  await timed("up", () => project.up());
  await timed("preview without a change", () => project.run("preview", "--expect-no-changes"));
  await timed("refresh without a change", drift);
  rules(1400);
  const one = await timed("preview of one change", () => project.run("preview", "--diff"));
  expect(changed(one).filter((line) => /^[-+~] (chain|element|table) [a-z]/.test(line))).toHaveLength(1);
  await timed("up of one change", () => project.up());
  expect(await ruleset()).toContain("mss 1400");
  await timed("destroy", () => project.run("destroy", "--yes"));
  expect(await lab.fingerprint(1)).toBe(before);
  console.info(`${count.toString()} rules in one LoadBalancer: ${times.join(", ")}`);
}, 600_000);
