/** Law 10: values that are not known yet, and values that nobody may see. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { Lab } from "../support/lab";
import { Project, connectionTo } from "../support/project";

let lab: Lab;
let project: Project;

beforeAll(async () => {
  lab = await Lab.up("val", "10.92", 1);
  project = await Project.create({ program: "" });
});

afterAll(async () => {
  project.remove();
  await lab.down();
});

/** Every byte that the engine stored. */
function stored(folder = join(project.folder, ".home", "backend")): string {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .join("\n");
}

test("values of other resources: unknown at preview, applied by up", async () => {
  const key = JSON.stringify(lab.host(1).privateKey);
  project.program(`
class Lookup implements pulumi.dynamic.ResourceProvider {
  async create() { return { id: "x", outs: { address: "${lab.host(1).vip()}", mss: 1400 } }; }
}
class Address extends pulumi.dynamic.Resource {
  declare readonly address: pulumi.Output<string>;
  declare readonly mss: pulumi.Output<number>;
  constructor() { super(new Lookup(), "address", { address: undefined, mss: undefined }); }
}
const found = new Address();
new lbshield.SynproxyRule("web", {
  host: { ...${connectionTo(lab.host(1))}, privateKey: ${key} },
  chain: "input",
  match: { destinations: [found.address], ports: [80] },
  options: { mss: found.mss },
});`);
  const preview = await project.run("preview", "--diff");
  expect(preview.text).toMatch(/nft +: \[unknown\]/);
  expect(preview.code).toBe(0);
  const up = await project.up();
  expect(up.code).toBe(0);
  expect((await lab.exec(1, "nft list ruleset")).stdout).toContain("synproxy mss 1400");
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
});

test("a bad value beside an unknown one is still found at preview", async () => {
  project.program(`
const later = new (class extends pulumi.dynamic.Resource {})({ create: async () => ({ id: "x", outs: { address: "192.0.2.1" } }) }, "later", { address: undefined }) as unknown as { address: pulumi.Output<string> };
new lbshield.SynproxyRule("web", {
  host: ${connectionTo(lab.host(1))}, chain: "input", match: { destinations: [later.address], ports: [0] },
});`);
  const { code, text } = await project.run("preview");
  expect(code).not.toBe(0);
  expect(text).toContain("match.ports[0]: 0: a port is a whole number from 1 to 65535");
});

test("a key in the arguments is a secret in the state, in previews and in errors", async () => {
  const { privateKey } = lab.host(1);
  const rule = (address: string) => `
new lbshield.SynproxyRule("web", {
  host: { ...${connectionTo(lab.host(1))}, privateKey: ${JSON.stringify(privateKey)}, password: "hunter2-hunter2" },
  chain: "input",
  match: { destinations: ["${address}"], ports: [80] },
});`;
  project.program(rule(lab.host(1).vip()));
  const up = await project.run("up", "--yes", "--diff");
  expect(up.code).toBe(0);
  project.program(rule("10.0.0.1.1"));
  const bad = await project.run("preview", "--diff");
  expect(bad.text).toContain("is not an address (203.0.113.10)");
  const refreshed = await project.run("refresh", "--yes", "--diff");
  const secret = privateKey.split("\n")[2] ?? "";
  expect(secret.length).toBeGreaterThan(20);
  for (const text of [up.text, bad.text, refreshed.text, stored()]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain("hunter2-hunter2");
  }
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
});

test("a secret argument makes the rendered lines secret", async () => {
  const address = lab.host(1).vip(102);
  const rule = (port: number) => `
new lbshield.SynproxyRule("web", {
  host: { ...${connectionTo(lab.host(1))}, privateKey: ${JSON.stringify(lab.host(1).privateKey)} },
  chain: "input",
  match: { destinations: [pulumi.secret("${address}")], ports: [${port.toString()}] },
});`;
  project.program(rule(80));
  const up = await project.run("up", "--yes", "--diff");
  expect(up.code).toBe(0);
  expect((await lab.exec(1, "nft list ruleset")).stdout).toContain(address);
  const refreshed = await project.run("refresh", "--yes", "--diff");
  expect(refreshed.code).toBe(0);
  project.program(rule(70000));
  const bad = await project.run("preview", "--diff");
  expect(bad.code).not.toBe(0);
  expect(bad.text).toContain("match.ports[0]: [secret]: a port is");
  for (const text of [up.text, refreshed.text, bad.text, stored()]) expect(text).not.toContain(address);
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
});

test("credentials from the configuration go before older ones in the state, and are not in it", async () => {
  const rule = (key: string) => `
new lbshield.SynproxyRule("web", {
  host: { ...${connectionTo(lab.host(1))}${key} }, chain: "input", match: { destinations: ["${lab.host(1).vip()}"], ports: [80] },
});`;
  project.program(rule(`, privateKey: ${JSON.stringify(lab.host(1).privateKey)}`));
  expect(await project.up()).toMatchObject({ code: 0 });
  // The key in the state is not accepted any more; the configured one is.
  const rotate =
    "ssh-keygen -q -t ed25519 -N '' -f /root/new && cp /etc/ssh/authorized_keys /root/old && cp /root/new.pub /etc/ssh/authorized_keys && cat /root/new";
  const { stdout: fresh } = await lab.exec(1, rotate);
  expect(fresh).toContain("PRIVATE KEY");
  project.program(rule(""));
  await project.must("config", "set", "--secret", "lbshield:privateKey", "--", fresh);
  // A plain refresh has the configuration of the last update; with --run-program it has today's.
  expect(await project.run("refresh", "--run-program", "--preview-only")).toMatchObject({ code: 0 });
  expect(await project.up()).toMatchObject({ code: 0 });
  expect(JSON.stringify((await project.state()).get("web"))).not.toContain("privateKey");
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
  await lab.exec(1, "cp /root/old /etc/ssh/authorized_keys");
});
