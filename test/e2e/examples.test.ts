/** Law 6 for every example, as it stands in examples/. */
import { cpSync, readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";

import { Lab } from "../support/lab";
import { Project } from "../support/project";

const examples = resolve(__dirname, "../../examples");

let lab: Lab;

beforeAll(async () => {
  lab = await Lab.up("exa", "10.88", 2);
});

afterAll(async () => {
  await lab.down();
});

/** The configuration that each example asks for. An example without an entry here fails. */
const CONFIG: Readonly<Record<string, () => Record<string, unknown>>> = {
  quickstart: () => ({
    balancers: Object.fromEntries(
      [1, 2].map((i) => {
        const { address: host, hostKey } = lab.host(i);
        return [`lb${i.toString()}`, { host, hostKey, address: lab.host(i).vip(), interface: "eth1" }];
      }),
    ),
  }),
  "load-balancer": () => ({
    balancer: {
      host: lab.host(1).address,
      hostKey: lab.host(1).hostKey,
      interface: "eth1",
      services: {
        web: { address: lab.host(1).vip(), ports: [80, 443] },
        api: { address: lab.host(1).vip(101), ports: [8443, "9000-9010"] },
      },
    },
  }),
};

test.each(readdirSync(examples))("%s: preview, up, empty preview, empty refresh, destroy", async (example) => {
  const before = await Promise.all([lab.fingerprint(1), lab.fingerprint(2)]);
  const project = await Project.create({
    env: { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey },
    yaml: "options:\n  refresh: always\n",
    program: "",
  });
  project.write("index.ts", readFileSync(join(examples, example, "index.ts"), "utf8"));
  for (const [key, value] of Object.entries(CONFIG[example]?.() ?? {}))
    await project.must(
      "config",
      "set-all",
      "--json",
      JSON.stringify({ [`shop:${key}`]: { objectValue: value, value: JSON.stringify(value), secret: false } }),
    );
  expect(await project.run("preview", "--diff")).toMatchObject({ code: 0 });
  expect(await project.run("up", "--yes")).toMatchObject({ code: 0 });
  expect((await lab.client(`curl -s -m 5 http://${lab.host(1).vip()}/id`)).stdout).toBe("backend\n");
  expect(await project.run("preview", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await project.run("refresh", "--preview-only", "--expect-no-changes")).toMatchObject({ code: 0 });
  expect(await project.run("destroy", "--yes")).toMatchObject({ code: 0 });
  expect(await Promise.all([lab.fingerprint(1), lab.fingerprint(2)])).toEqual(before);
  project.remove();
});

test("the project at the repository's root is the quick start", async () => {
  const root = resolve(examples, "..");
  const project = await Project.create({ program: "" });
  for (const file of ["Pulumi.yaml", "package.json", "tsconfig.json", "examples"])
    cpSync(join(root, file), join(project.folder, file), { recursive: true });
  await project.must("stack", "init", "quick");
  const value = CONFIG.quickstart?.().balancers;
  await project.must(
    "config",
    "set-all",
    "--json",
    JSON.stringify({
      "lbshield-quickstart:balancers": { objectValue: value, value: JSON.stringify(value), secret: false },
    }),
  );
  expect((await project.run("preview")).text).toContain("+ 7 to create");
  project.remove();
});
