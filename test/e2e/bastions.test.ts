/** A host behind two bastions, each with credentials of its own in the program: none of them is stored or shown in plain text. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

import { Lab } from "../support/lab";
import { Project } from "../support/project";

let lab: Lab;
let project: Project;

beforeAll(async () => {
  lab = await Lab.up("bas", "10.78", 3);
  // The hosts reach each other through the clients' side.
  await lab.client("sysctl -qw net.ipv4.ip_forward=1");
  project = await Project.create({ program: "" });
});

afterAll(async () => {
  project.remove();
  await lab.down();
});

/** Opens with the lab's key; the passphrase is not needed, and is as secret as one that is. */
const byKey = (i: number, passphrase: string, more: object = {}) => {
  const { address: host, hostKey, privateKey } = lab.host(i);
  return { host, hostKey, privateKey, privateKeyPassword: passphrase, dialErrorLimit: 2, ...more };
};

const way = (port = 22) => {
  const { address: host, hostKey } = lab.host(2);
  const second = { host, port, hostKey, user: "ops", password: lab.password, dialErrorLimit: 2 };
  return byKey(3, "canary-host", { proxy: { ...second, proxy: byKey(1, "canary-first") } });
};

const program = (connection: object): string => `
const host = new lbshield.Host("lb", { connection: ${JSON.stringify(connection)} });
new lbshield.ConntrackTuning("conntrack", { host, accounting: true });`;

/** What of the secrets is in what people and files get to see. */
const seenIn = (text: string): string[] => {
  const key = lab.host(1).privateKey.split("\n")[2] ?? "";
  const secrets = { "canary-first": "canary-first", "canary-host": "canary-host", password: lab.password, key };
  return Object.entries(secrets).flatMap(([name, secret]) => (text.includes(secret) ? [name] : []));
};
const filesOf = (folder: string): string =>
  execFileSync("find", [folder, "-type", "f", "-exec", "cat", "{}", "+"], { encoding: "latin1", maxBuffer: 1 << 28 });

test("up, refresh and destroy go through both", async () => {
  project.program(program(way()));
  const before = await lab.fingerprint(3);
  for (const step of [
    ["preview", "--diff"],
    ["up", "--yes", "--skip-preview"],
    ["refresh", "--yes", "--skip-preview", "--diff"],
    ["preview", "--diff", "--expect-no-changes"],
  ]) {
    const { code, text } = await project.run(...step);
    expect(`${step.join(" ")}: ${code.toString()}\n${code === 0 ? "" : text}`).toBe(`${step.join(" ")}: 0\n`);
    expect(seenIn(text)).toEqual([]);
  }
  expect((await lab.exec(3, "sysctl -n net.netfilter.nf_conntrack_acct")).stdout).toBe("1\n");
  expect(seenIn(filesOf(join(project.folder, ".home")))).toEqual([]);
  expect(await project.run("destroy", "--yes", "--skip-preview")).toMatchObject({ code: 0 });
  expect(await lab.fingerprint(3)).toBe(before);
});

test("an error names the bastion, and shows no secret", async () => {
  project.program(program(way(9)));
  const { code, text } = await project.up();
  expect(code).not.toBe(0);
  expect(text).toContain(
    "connect on 10.78.3.2: bastion 10.78.2.2:9: no answer after 2 attempts through bastion 10.78.1.2",
  );
  expect(seenIn(text)).toEqual([]);
});
