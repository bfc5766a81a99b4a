import { type Properties } from "../../provider/wire";
import { type Hop } from "../../provider/host/connection";
import { Hosts } from "../../provider/hosts";

/** Hosts that note whom they would have dialled, and reach nobody. */
function dialling(env: NodeJS.ProcessEnv = {}) {
  const dialled: (readonly Hop[])[] = [];
  const hosts = new Hosts((hops) => {
    dialled.push(hops);
    return Promise.reject(new Error("nobody there"));
  }, env);
  const dial = async (args: Properties): Promise<readonly Hop[]> => {
    await expect(hosts.session(args).read([])).rejects.toThrow("nobody there");
    return dialled.at(-1) ?? [];
  };
  return { hosts, dialled, dial };
}

const from = (hop: Hop | undefined) => hop?.credentials.map((c) => c.from);

test("nobody is dialled before something is asked", () => {
  const { hosts, dialled } = dialling();
  hosts.session({ host: "lb1" });
  expect(dialled).toEqual([]);
});

test("one way to reach a host is one session, whatever is left to the defaults", () => {
  const { hosts } = dialling();
  const session = hosts.session({ host: "lb1" });
  expect(hosts.session({ host: "lb1", port: 22, user: "root" })).toBe(session);
  for (const other of [{ host: "lb2" }, { port: 2222 }, { password: "x" }, { proxy: { host: "b" } }])
    expect(hosts.session({ host: "lb1", ...other })).not.toBe(session);
});

test("a new configuration is another way, and is known at once", async () => {
  const { hosts, dial } = dialling({ LBSHIELD_PRIVATE_KEY: "k" });
  const [before] = await dial({ host: "lb1" });
  expect(from(before)).toEqual(["the private key of the environment"]);
  hosts.configure((key) => (key === "privateKey" ? "configured" : undefined));
  const [now] = await dial({ host: "lb1" });
  expect(from(now)).toEqual(["the private key of the configuration", "the private key of the environment"]);
});

test("a bastion comes first on the way, with credentials of its own and those that all share", async () => {
  const { dial } = dialling({ SSH_AUTH_SOCK: "/run/agent" });
  const hops = await dial({ host: "lb1", privateKey: "k", proxy: { host: "bastion", password: "x" } });
  expect(hops.map((hop) => hop.host)).toEqual(["bastion", "lb1"]);
  expect(hops.map(from)).toEqual([
    ["the agent of the environment", "the password of the connection"],
    ["the private key of the connection", "the agent of the environment"],
  ]);
});

test("a dial that failed is no session: the next question dials again", async () => {
  const { dialled, dial } = dialling();
  await dial({ host: "lb1" });
  await dial({ host: "lb1" });
  expect(dialled).toHaveLength(2);
});

test("closing forgets every session, and ends it", async () => {
  const { hosts, dialled } = dialling();
  const session = hosts.session({ host: "lb1" });
  await hosts.close();
  expect(hosts.session({ host: "lb1" })).not.toBe(session);
  await expect(session.read([])).rejects.toThrow("the run was ended");
  expect(dialled).toEqual([]);
});

test("a resource's changes are made with its care, or the configuration's, and told of on its line", () => {
  const lines = new Map([["urn:web", jest.fn()]]);
  const hosts = new Hosts(jest.fn(), {}, (urn) => lines.get(String(urn)) ?? jest.fn());
  hosts.configure((key) => (key === "confirmTimeout" ? "1m" : undefined));
  const { care, tell } = hosts.how({ resourceUrn: "urn:web", guard: "never" });
  expect(care).toEqual({ guard: "never", confirmWithin: 60 });
  expect(tell).toBe(lines.get("urn:web"));
});
