/** What of a connection becomes a secret before it leaves the program. */
import * as pulumi from "@pulumi/pulumi";

import { SECRET_MEMBERS } from "../../provider/host/connection";
import { type ConnectionArgs, protect } from "../../sdk/nodejs/connection";

const SECRETS = Object.fromEntries(SECRET_MEMBERS.map((member) => [member, `the ${member}`]));
const hop = (host: string, proxy?: ConnectionArgs): ConnectionArgs => ({
  host,
  ...SECRETS,
  ...(proxy ? { proxy } : {}),
});

type Member = pulumi.Input<unknown>;

/** The members of a connection and of its bastions that are secrets, by path. */
async function secretsOf(connection: pulumi.Input<ConnectionArgs>, path = ""): Promise<string[]> {
  const members = Object.entries((await plain(connection)) as Record<string, Member>);
  const found = await Promise.all(
    members.map(async ([key, value]) => {
      if (key === "proxy") return secretsOf(value as pulumi.Input<ConnectionArgs>, `${path}proxy.`);
      return pulumi.Output.isInstance(value) && (await pulumi.isSecret(value)) ? [`${path}${key}`] : [];
    }),
  );
  return found.flat();
}

/** The value of an input, not of what is in it: those must stay what they are. */
const plain = (input: pulumi.Input<ConnectionArgs>): Promise<unknown> =>
  pulumi.Output.isInstance(input)
    ? (input as never as { promise(): Promise<unknown> }).promise()
    : Promise.resolve(input);

test("keys, passphrases and passwords, of each bastion as well; nothing else", async () => {
  const protectedOne = protect(hop("lb1", hop("c", hop("b", hop("a")))));
  const expected = ["", "proxy.", "proxy.proxy.", "proxy.proxy.proxy."].flatMap((path) =>
    SECRET_MEMBERS.map((member) => `${path}${member}`),
  );
  expect((await secretsOf(protectedOne)).toSorted()).toEqual(expected.toSorted());
});

test.each([
  ["an output", (proxy: ConnectionArgs) => pulumi.output(proxy)],
  ["a promise", (proxy: ConnectionArgs) => Promise.resolve(proxy)],
])("also where a bastion is %s: then as a whole", async (_name, later) => {
  const { proxy } = protect({ host: "lb1", proxy: later(hop("b", hop("a"))) }) as ConnectionArgs;
  const output = pulumi.output(proxy as pulumi.Input<object>);
  expect(await pulumi.isSecret(output)).toBe(true);
});

test("nothing of a connection that has none", async () => {
  expect(await secretsOf(protect({ host: "lb1", proxy: { host: "b" } }))).toEqual([]);
});
