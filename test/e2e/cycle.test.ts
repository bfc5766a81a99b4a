import { Lab } from "../support/lab";
import { Project, connectionTo } from "../support/project";

let lab: Lab;
let project: Project;

beforeAll(async () => {
  lab = await Lab.up("cyc", "10.91", 1);
  project = await Project.create({
    env: { LBSHIELD_PRIVATE_KEY: lab.host(1).privateKey },
    yaml: "options:\n  refresh: always\n",
    program: `
const lb1 = new lbshield.Host("lb1", { connection: ${connectionTo(lab.host(1))} });
new lbshield.ConntrackTuning("conntrack", { host: lb1, tcpLoose: false, timeouts: { tcpEstablished: "5d", tcpTimeWait: "30s" } });
new lbshield.SynproxyRule("web", {
  host: lb1,
  chain: "input",
  match: { destinations: ["${lab.host(1).vip()}"], ports: [443, 80], interfaces: ["eth1"] },
  options: { mss: 1460, wscale: 7, timestamp: true, sackPerm: true },
});`,
  });
}, 60_000);

afterAll(async () => {
  project?.remove();
  await lab?.down();
}, 60_000);

test("cycle", async () => {
  console.log((await project.run("preview", "--diff")).text);
  console.log((await project.run("up", "--yes")).text);
  console.log((await project.run("preview", "--diff", "--expect-no-changes")).text);
  console.log((await project.run("refresh", "--preview-only", "--expect-no-changes")).text);
  console.log(
    await lab.exec(
      1,
      "nft list ruleset | grep -c .; nft delete element inet lbshield input4-if '{ \"eth1\" . 10.91.1.100 . 80 }'; echo 1 > /proc/sys/net/netfilter/nf_conntrack_tcp_loose",
    ),
  );
  console.log(await project.run("refresh", "--preview-only", "--expect-no-changes", "--diff"));
  console.log((await project.run("up", "--yes", "--refresh")).text);
  const s = await project.state();
  console.log(JSON.stringify(s.get("web"), null, 1), JSON.stringify(s.get("web")).length);
  console.log((await project.run("destroy", "--yes")).text);
}, 120_000);
