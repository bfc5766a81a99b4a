/** Law 6 and what a user sees: the real engine, real SSH, a real host. */
import { Lab } from "../support/lab";
import { Project, connectionTo } from "../support/project";

let lab: Lab;
let project: Project;
let before: string;

const program = (options: string) => `
const lb1 = new lbshield.Host("lb1", { connection: ${connectionTo(lab.host(1))} });
new lbshield.ConntrackTuning("conntrack", {
  host: lb1, tcpLoose: false, logInvalid: "tcp", timeouts: { tcpEstablished: "5d", tcpTimeWait: 30 },
});
new lbshield.SynproxyRule("web", {
  host: lb1,
  chain: "input",
  match: { destinations: ["${lab.host(1).vip()}"], ports: ["443", 80, "8000-8080"], interfaces: ["eth1"] },
  options: ${options},
});`;

const OPTIONS = "{ mss: 1460, wscale: 7, timestamp: true, sackPerm: true }";

beforeAll(async () => {
  lab = await Lab.up("cyc", "10.91", 1);
  before = await lab.fingerprint(1);
  project = await Project.create({ env: { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey }, program: program(OPTIONS) });
});

afterAll(async () => {
  project.remove();
  await lab.down();
});

// The steps of one life, in their order.
test("preview shows the host's own lines, and touches nothing", async () => {
  const { code, text } = await project.run("preview", "--diff");
  expect(code).toBe(0);
  const vip = lab.host(1).vip();
  expect(text).toContain(`element input4-if { "eth1" . ${vip} . 80 }`);
  expect(text).toContain(`element prerouting4-if-range { "eth1" . ${vip} . 8000-8080 }`);
  expect(text).toMatch(
    /chain synproxy\/shop\/test\/web\/input +: "synproxy mss 1460 wscale 7 timestamp sack-perm; drop"/,
  );
  expect(text).toMatch(/net\.netfilter\.nf_conntrack_tcp_timeout_established: "432000"/);
  expect(await lab.fingerprint(1)).toBe(before);
});

test("up applies them", async () => {
  const { code, text } = await project.up();
  expect(text).toContain("+ 4 created");
  expect(code).toBe(0);
  const { stdout } = await lab.exec(
    1,
    "nft list chain inet lbshield synproxy/shop/test/web/input; sysctl net.netfilter.nf_conntrack_log_invalid",
  );
  expect(stdout).toContain("synproxy mss 1460 wscale 7 timestamp sack-perm");
  expect(stdout).toContain("nf_conntrack_log_invalid = 6");
});

test("the state is small: one rule stays under 4 KB, and its shim is a constant", async () => {
  const rule = (await project.state()).get("web");
  // Where the program's line was is the engine's, and as long as the path to it.
  const { stackTrace: _stack, sourcePosition: _position, ...own } = rule ?? {};
  expect(JSON.stringify(own).length).toBeLessThan(4096);
  expect(own).toHaveProperty(
    ["inputs", "__provider"],
    'exports.handler = () => require("pulumi-lbshield/provider").get("SynproxyRule");\n',
  );
  expect(JSON.stringify(rule)).not.toContain("PRIVATE KEY");
});

test("a second preview and a refresh are empty", async () => {
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await project.run("refresh", "--preview-only", "--expect-no-changes")).toMatchObject({ code: 0 });
});

test("a change of one option shows one line and is made in place", async () => {
  project.program(program(OPTIONS.replace("1460", "1400")));
  const { text } = await project.run("preview", "--diff");
  expect(text).toMatch(/~ chain synproxy\/shop\/test\/web\/input: "synproxy mss 1460 .*" => "synproxy mss 1400 /);
  expect(text.match(/^ +~ (chain|element|synproxy|table)/gm)).toHaveLength(1);
  expect(text).toContain("~ 1 to update");
  expect(await project.up()).toMatchObject({ code: 0 });
  expect((await lab.exec(1, "nft list ruleset")).stdout).toContain("synproxy mss 1400 wscale 7");
});

test("what somebody changed by hand is named by the drift run, which exits with 7", async () => {
  await lab.exec(1, `nft delete element inet lbshield input4-if { '"eth1"' . ${lab.host(1).vip()} . 80 }`);
  await lab.exec(1, "echo 60 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait");
  const plain = await project.run("preview", "--expect-no-changes");
  expect(plain.code).toBe(0); // The engine compares program and state: without a refresh nobody looks at the host.
  const drift = await project.run("refresh", "--preview-only", "--expect-no-changes", "--diff");
  expect(drift.code).toBe(7);
  expect(drift.text).toContain(`- element input4-if { "eth1" . ${lab.host(1).vip()} . 80 }`);
  expect(drift.text).toMatch(/~ tcpTimeWait: 30 => 60/);
  expect(drift.text).toMatch(/~ net.netfilter.nf_conntrack_tcp_timeout_time_wait: "30" => "60"/);
});

test("up --refresh repairs it", async () => {
  const { code, text } = await project.up("--refresh");
  expect(code).toBe(0);
  expect(text).toContain("~ 2 updated");
  expect(await project.run("refresh", "--preview-only", "--expect-no-changes")).toMatchObject({ code: 0 });
});

test("a ruleset that somebody flushed is seen and comes back", async () => {
  await lab.exec(1, "nft flush ruleset");
  const drift = await project.run("refresh", "--preview-only", "--expect-no-changes", "--diff");
  expect(drift.code).toBe(7);
  expect(drift.text).toContain("- chain synproxy/shop/test/web/input");
  expect(await project.up("--refresh")).toMatchObject({ code: 0 });
  expect((await lab.exec(1, "nft list ruleset")).stdout).toContain("synproxy mss 1400 wscale 7");
});

test("a renamed rule takes over what it protects, with no moment without protection", async () => {
  project.program(program(OPTIONS).replace('"web"', '"shop-front"'));
  expect(await project.up()).toMatchObject({ code: 0 });
  const { stdout } = await lab.exec(1, "nft list ruleset");
  expect(stdout).toContain("goto synproxy/shop/test/shop-front/input");
  expect(stdout).not.toContain("synproxy/shop/test/web");
});

test("a host that is reached by another name keeps its rules", async () => {
  const here = connectionTo(lab.host(1));
  // The same machine by another of its ports: Pulumi replaces, creates first, then deletes.
  await lab.exec(1, "/usr/sbin/sshd -p 2200 -o PidFile=none");
  const there = JSON.stringify({ ...(JSON.parse(here) as object), port: 2200 });
  project.program(program(OPTIONS).replace('"web"', '"shop-front"').replace(here, there));
  const { code, text } = await project.up();
  expect(text).toMatch(/replaced/);
  expect(code).toBe(0);
  expect((await lab.exec(1, "nft list ruleset")).stdout).toContain("goto synproxy/shop/test/shop-front/input");
  expect(await project.run("refresh", "--preview-only", "--expect-no-changes")).toMatchObject({ code: 0 });
});

test("a rule that is replaced by request stays on the host", async () => {
  const urn = String((await project.state()).get("shop-front")?.urn);
  expect(await project.run("up", "--yes", "--skip-preview", "--replace", urn)).toMatchObject({ code: 0 });
  expect((await lab.exec(1, "nft list table inet lbshield")).stdout).toContain("synproxy/shop/test/shop-front/input");
  expect(await project.run("refresh", "--preview-only", "--expect-no-changes")).toMatchObject({ code: 0 });
});

test("destroy leaves the host as it was", async () => {
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(1)).toBe(before);
});
