/** What Pulumi's dynamic provider host gets: the provider by name, as the state's shim asks for it. */
import { get } from "pulumi-lbshield/provider";

import { RESOURCES } from "../../../provider/resources/registry";

test.each(RESOURCES.map((r) => r.type))("there is a provider of %s, with every operation", (type) => {
  const provider = get(type);
  for (const operation of ["configure", "check", "diff", "create", "read", "update", "delete"] as const)
    expect(typeof provider[operation]).toBe("function");
});

test("a type that this release does not have is an error that says what may be wrong", () => {
  expect(() => get("Nothing")).toThrow(
    'pulumi-lbshield has no resource "Nothing": is the installed version older than the stack?',
  );
});

test("a failed check names no property: the engine would print its value, secret or not", async () => {
  const given = { connection: { host: "lb1", password: "hunter2" }, owner: "acme/prod/t", timeouts: { udp: "5x" } };
  const checked = await get("ConntrackTuning").check?.({}, given);
  expect(checked?.failures).toEqual([
    {
      property: "",
      reason: 'timeouts.udp: "5x": a duration is a number of seconds or a text like "90s", "2m", "1h30m" or "5d"',
    },
  ]);
  expect(checked?.inputs).toEqual(given);
});

test("a diff says only what replaces: the engine finds the changes itself", async () => {
  const diff = get("ConntrackTuning").diff;
  const at = (host: string) => ({ connection: { host }, owner: "acme/prod/t", tcpLoose: false });
  expect(await diff?.("id", at("lb1"), { ...at("lb1"), tcpLoose: true })).toEqual({ replaces: [] });
  expect(await diff?.("id", at("lb1"), at("lb2"))).toEqual({ replaces: ["connection"] });
});

test("reading what the state does not know finds nothing", async () => {
  expect(await get("ConntrackTuning").read?.("id")).toEqual({ id: "", props: {} });
});
