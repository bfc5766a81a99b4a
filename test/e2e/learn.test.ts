/** `options: "learn"` through the real engine: what is learned is an output, and no difference until the server changes. */
import { Lab } from "../support/lab";
import { Project, connectionTo } from "../support/project";

let lab: Lab;
let project: Project;
let backend: string;

beforeAll(async () => {
  lab = await Lab.up("lrne", "10.72", 1);
  backend = "10.72.1.130";
  project = await Project.create({ env: { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey }, program: "" });
});

afterAll(async () => {
  project.remove();
  await lab.down();
});

const declare = (options = `"learn"`) => {
  const rule = (port: number, to: string) =>
    `{ chain: "input", match: { destinations: ["${lab.host(1).vip()}"], ports: [${port.toString()}] }, action: { dnat: { to: "${to}" } }, options: ${options} }`;
  project.program(`
const host = new lbshield.Host("host", { connection: ${connectionTo(lab.host(1))} });
const web = new lbshield.SynproxyRule("web", { host, ...${rule(80, `${backend}:80`)} });
const lb = new lbshield.LoadBalancer("lb1", { host, synproxyRules: { api: ${rule(8443, `${backend}:8081`)} } });
export const mss = web.learned.apply((learned) => learned?.mss);
export const parts = lb.learned.apply((learned) => learned?.synproxyRules?.api?.mss);`);
};
const drift = () => project.run("refresh", "--preview-only", "--expect-no-changes", "--diff");
const outputs = async () => JSON.parse(await project.must("stack", "output", "--json")) as unknown;
const advmss = (mss: string) =>
  lab.backend(`ip route replace default via 10.72.1.129 table 1001 ${mss === "" ? "" : `advmss ${mss}`}`);
const page = async () => (await lab.client(`curl -s -m 5 http://${lab.host(1).vip()}/id`)).stdout;

// The steps of one life, in their order.
test("a preview says that it will be learned, and asks nobody", async () => {
  declare();
  const { code, text } = await project.run("preview", "--diff");
  expect(code).toBe(0);
  expect(text).toMatch(/synproxy\/shop\/test\/web\/input +: "synproxy \(learned from the server on apply\); drop"/);
});

test("up learns, and what it learned is an output", async () => {
  const { code, text } = await project.up();
  expect({ code, text }).toMatchObject({ code: 0 });
  expect(await outputs()).toEqual({ mss: 1460, parts: 1460 });
  const { outputs: web } = (await project.state()).get("web") as { outputs: Record<string, Record<string, string>> };
  expect(web.learned).toMatchObject({ mss: 1460, timestamp: true, sackPerm: true });
  expect(web.nft?.["chain synproxy/shop/test/web/input"]).toMatch(
    /^synproxy mss 1460 wscale \d+ timestamp sack-perm; drop$/,
  );
  expect(await page()).toBe("backend\n");
});

test("a second preview, a refresh, an up and a preview after them are empty", async () => {
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await drift()).toMatchObject({ code: 0 });
  const { text } = await project.up("--refresh", "--expect-no-changes");
  expect(text).toContain("4 unchanged");
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await outputs()).toEqual({ mss: 1460, parts: 1460 });
});

test("a server that announces something else is drift, which names both; up --refresh learns it anew", async () => {
  await advmss("1300");
  const seen = await drift();
  expect(seen.code).toBe(7);
  expect(seen.text).toMatch(
    /~ chain synproxy\/shop\/test\/web\/input: "synproxy \(learned from the server on apply\); drop" => "synproxy mss 1460 (.*); drop; but 10\.72\.1\.130:80 now announces mss 1300 \1"/,
  );
  expect(seen.text).toContain("but 10.72.1.130:8081 now announces mss 1300");
  expect(seen.text).toContain("~ 2 to update");
  // Without a refresh the engine compares program and state.
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await project.up("--refresh")).toMatchObject({ code: 0 });
  expect(await outputs()).toEqual({ mss: 1300, parts: 1300 });
  expect(await drift()).toMatchObject({ code: 0 });
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
});

test("drift that a refresh has taken into the state is there until an up", async () => {
  await advmss("1200");
  await project.must("refresh", "--yes", "--skip-preview");
  expect(await drift()).toMatchObject({ code: 0 });
  expect(await project.run("preview", "--expect-no-changes")).not.toMatchObject({ code: 0 });
  expect(await project.up()).toMatchObject({ code: 0 });
  expect(await outputs()).toEqual({ mss: 1200, parts: 1200 });
  expect(await drift()).toMatchObject({ code: 0 });
  await advmss("");
});

test("of a server that is down, what was learned stands, with a warning", async () => {
  await lab.backend("ip route replace blackhole default table 1001");
  const seen = await drift();
  expect(seen.code).toBe(0);
  expect(seen.text).toContain("10.72.1.130:80 did not answer: what was learned stands");
  await advmss("");
});

test("declared options that the server does not have are warned of at up", async () => {
  declare("{ mss: 1400, timestamp: true, wscale: 3 }");
  const { code, text } = await project.up();
  expect(code).toBe(0);
  expect(text).toContain(
    "options.mss: 1400 is announced for 10.72.1.130:80, which itself announces 1460: smaller segments cost throughput",
  );
  expect(text).toContain("synproxyRules.api.options.wscale: 3 is announced for 10.72.1.130:8081");
  expect(await outputs()).toEqual({});
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await project.run("destroy", "--yes", "--skip-preview")).toMatchObject({ code: 0 });
});
