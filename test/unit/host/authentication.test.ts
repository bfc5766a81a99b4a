import { generateKeyPairSync } from "node:crypto";

import { type AnyAuthMethod, type AuthenticationType, type Prompt } from "ssh2";

import { Offer } from "../../../provider/host/authentication";
import { type Credential } from "../../../provider/host/connection";

const pem = (): string => generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();

const KEY: Credential = { from: "key", privateKey: pem() };
const OTHER: Credential = { from: "other key", privateKey: pem() };
const AGENT: Credential = { from: "agent", agent: "/run/no-agent" };
const PASSWORD: Credential = { from: "password", password: "open sesame" };

const offer = (...credentials: Credential[]): Offer =>
  new Offer({ host: "lb1", port: 22, user: "ops", dialErrorLimit: 1, perDialTimeout: 1, credentials });

/** What is offered after each answer of the host: the kinds that it takes, and whether it accepted the last one in part. */
function offered(of: Offer, ...answers: (readonly [AuthenticationType[], partial?: boolean])[]): string[] {
  const handler = of.handler();
  const first: [null, null] = [null, null];
  return [first, ...answers].map(([accepted, partial = false]) => {
    let next: AnyAuthMethod | false | undefined;
    handler(accepted as never, partial as never, (method) => (next = method as AnyAuthMethod | false));
    return next === undefined || next === false ? "nothing" : next.type;
  });
}

const ALL: AuthenticationType[] = ["publickey", "password", "keyboard-interactive"];
const no = (...accepted: AuthenticationType[]) => [accepted] as const;
const partly = (...accepted: AuthenticationType[]) => [accepted, true] as const;

describe("a host is offered", () => {
  test("one credential after the other, then nothing", () => {
    expect(offered(offer(KEY, AGENT, PASSWORD), no(...ALL), no(...ALL), no(...ALL))).toEqual([
      "publickey",
      "agent",
      "password",
      "nothing",
    ]);
  });

  test("nothing when there is nothing", () => {
    expect(offered(offer())).toEqual(["nothing"]);
  });

  test("no more keys when it takes none", () => {
    expect(offered(offer(KEY, OTHER, AGENT, PASSWORD), no("password"))).toEqual(["publickey", "password"]);
  });

  test("the password in a dialogue when it takes it in no other way", () => {
    expect(offered(offer(KEY, PASSWORD), no("publickey", "keyboard-interactive"), no("keyboard-interactive"))).toEqual([
      "publickey",
      "keyboard-interactive",
      "nothing",
    ]);
  });

  test("what it passed over, once it has accepted one factor of two", () => {
    expect(offered(offer(KEY, PASSWORD), no("password"), partly("publickey"), no("publickey"))).toEqual([
      "publickey",
      "password",
      "publickey",
      "nothing",
    ]);
  });

  test("two keys where it wants two", () => {
    expect(offered(offer(KEY, OTHER), partly("publickey"), partly("publickey")).slice(0, 2)).toEqual([
      "publickey",
      "publickey",
    ]);
  });
});

test("a dialogue gets the password once, and where nobody can see it", () => {
  const handler = offer(PASSWORD).handler();
  let dialogue: AnyAuthMethod | undefined;
  handler(["keyboard-interactive"], false, (method) => (dialogue = method as AnyAuthMethod));
  if (dialogue?.type !== "keyboard-interactive") throw new Error("no dialogue");
  const { prompt } = dialogue;
  const answers = (...prompts: Prompt[]) => {
    let given: string[] | undefined;
    prompt("", "", "", prompts, (all) => (given = all));
    return given;
  };
  expect(answers({ prompt: "Password: ", echo: false })).toEqual(["open sesame"]);
  expect(answers({ prompt: "Verification code: ", echo: false })).toEqual([""]);
});

test("what was offered is told: keys by their fingerprints, and no secret", () => {
  const tried = offer(KEY, PASSWORD);
  offered(tried, no("publickey"));
  expect(tried.toString()).toMatch(/^key \(ssh-ed25519 SHA256:[^ ]{43}\), password; it takes publickey$/);
  expect(offer().toString()).toBe("(no key, agent or password was given)");
});

test("a key that cannot be read is an error at once", () => {
  expect(() => offer(PASSWORD, { from: "the private key of the environment", privateKey: "~/.ssh/id" })).toThrow(
    "connect on lb1: the private key of the environment cannot be used: Unsupported key format",
  );
});
