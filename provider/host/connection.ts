/** How to reach a host: the argument shape of `@pulumi/command`, completed from configuration and environment. */
import { isIPv6 } from "node:net";
import { z } from "zod";

import { reason, show, wholeNumber } from "../values";
import { hostKeyProblem } from "./known-hosts";

const text = (what: string) =>
  z.string({ error: reason(`${what} is a text`) }).min(1, { error: reason(`${what} is empty`) });

/** A text in which `problem` finds none. */
const textWithout = (what: string, problem: (text: string) => string | undefined) =>
  text(what).superRefine((value, ctx) => {
    const found = value === "" ? undefined : problem(value);
    if (found !== undefined) ctx.addIssue({ code: "custom", message: `${show(value)}: ${found}` });
  });

const HOST = "host is a name or an address, nothing else";

const isHost = (text: string): boolean => isIPv6(text) || /^[^\s/@:[\]]+$/.test(text);

/** People write what ssh(1) takes: say where each part goes. */
function hostProblem(text: string): string | undefined {
  if (isHost(text)) return undefined;
  const [, user, name = "", port] = /^(?:ssh:\/\/)?(?:(.*)@)?(\[.*\]|[^:]*)(?::([0-9]+))?\/?$/.exec(text) ?? [];
  const host = name.replace(/^\[(.*)\]$/, "$1");
  if (!isHost(host)) return HOST;
  const parts = [
    `host: ${show(host)}`,
    ...(port === undefined ? [] : [`port: ${port}`]),
    ...(user === undefined ? [] : [`user: ${show(user)}`]),
  ];
  return `${HOST}: write ${parts.join(", ")}`;
}

const dial = {
  /** The host's name or address (IPv4, or IPv6 without brackets). */
  host: textWithout("host", hostProblem),
  /** The port of its sshd, 1 to 65535; default 22. */
  port: wholeNumber(1, 65535, "port").default(22),
  /** The user to log in as: root (the default), or one with sudo that asks for no password. */
  user: text("user").default("root"),
  /**
   * A private key, its content (not its file's name). Better given by the agent or as LBSHIELD_PRIVATE_KEY: then it is
   * not in the state; or as `lbshield:privateKey` in the configuration, which the engine stores once, encrypted.
   */
  privateKey: text("privateKey").optional(),
  /** The passphrase of an encrypted private key. */
  privateKeyPassword: text("privateKeyPassword").optional(),
  /** A password, tried when no key was accepted. */
  password: text("password").optional(),
  /** The SSH agent's socket; default SSH_AUTH_SOCK. */
  agentSocketPath: text("agentSocketPath").optional(),
  /**
   * The host's public key, as in a known_hosts file without the name (`ssh-ed25519 AAAA...`) or as a fingerprint
   * (`SHA256:...`). Default: what known_hosts says. A host whose key is not known is an error.
   */
  hostKey: textWithout("hostKey", hostKeyProblem).optional(),
  /** How often to dial a host that does not answer, 1 or more; -1 without end; default 10. */
  dialErrorLimit: wholeNumber(-1, 1000, "dialErrorLimit").default(10),
  /** How long one dial may take, in seconds; 0 without end; default 15. */
  perDialTimeout: wholeNumber(0, 3600, "perDialTimeout").default(15),
};

/** `proxy` is the bastion of the bastion. */
const bastion = <Proxy extends z.ZodType>(proxy: Proxy) =>
  z.strictObject({ ...dial, proxy }, { error: reason("proxy is the connection of a bastion: { host, user, ... }") });

// As deep as this, not without end: Pulumi's schema gives each its own type.
const third = bastion(z.undefined({ error: reason("three bastions in a row are the most") }).optional());
const second = bastion(third.optional());

export const connection = z.strictObject(
  {
    ...dial,
    proxy: bastion(second.optional()).optional(),
  },
  { error: reason('a connection is an object such as { host: "lb1.example.net", user: "root" }') },
);

/** What a program writes; the same shape as `@pulumi/command`'s `remote.ConnectionArgs`, and bastions behind bastions. */
export interface ConnectionArgs extends Omit<z.input<typeof connection>, "proxy"> {
  /** A bastion to go through, which may have a `proxy` of its own. Three in a row are the most. */
  proxy?: ConnectionArgs | undefined;
}
export type Connection = z.output<typeof connection>;
export type Dial = Omit<Connection, "proxy">;

/** A connection or a bastion of one. */
interface Way extends Dial {
  readonly proxy?: Way | undefined;
}

/** All that are dialled on the way to a host, the host itself last. */
export function wayTo({ proxy, ...last }: Way): Dial[] {
  return [...(proxy ? wayTo(proxy) : []), last];
}

/** Never shown, never stored in plain text. */
export const SECRET_MEMBERS = ["privateKey", "privateKeyPassword", "password"] as const;

/** Does this path within a connection, at whichever hop, lead to one of them? */
export const isSecretMember = (path: readonly PropertyKey[]): boolean =>
  SECRET_MEMBERS.some((member) => path.at(-1) === member);

/** Provider configuration by key, without the `lbshield:` prefix. */
export type Settings = (key: string) => string | undefined;

/** One way to prove who we are, and where it came from (for messages). */
export type Credential = { readonly from: string } & (
  | { readonly privateKey: string; readonly passphrase?: string }
  | { readonly agent: string }
  | { readonly password: string }
);

/** One host on the way, with all that may open it. */
export interface Hop extends Pick<Dial, "host" | "port" | "user" | "hostKey" | "dialErrorLimit" | "perDialTimeout"> {
  readonly credentials: readonly Credential[];
}

/** The environment variable of each credential. */
export const ENVIRONMENT = {
  privateKey: "LBSHIELD_PRIVATE_KEY",
  privateKeyPassword: "LBSHIELD_PRIVATE_KEY_PASSWORD",
  password: "LBSHIELD_PASSWORD",
  agentSocketPath: "SSH_AUTH_SOCK",
} as const;

type Secrets = Partial<Record<keyof typeof ENVIRONMENT, string | undefined>>;

/**
 * Every credential there is, in the order in which they are tried: keys before agents before passwords, and of each
 * the connection's own before the configuration's before the environment's. A resource that is read or deleted comes
 * with the connection of its last update, whose key may have been rotated since; the next one in the list then opens.
 */
export function withCredentials(dial: Dial, settings: Settings, env: NodeJS.ProcessEnv): Hop {
  const { host, port, user, hostKey, dialErrorLimit, perDialTimeout } = dial;
  const members = Object.keys(ENVIRONMENT) as (keyof typeof ENVIRONMENT)[];
  const collect = (get: (key: keyof typeof ENVIRONMENT) => string | undefined): Secrets =>
    Object.fromEntries(members.map((key): [string, string | undefined] => [key, get(key)]).filter(([, v]) => v !== ""));
  const sources: readonly [string, Secrets][] = [
    ["the connection", dial],
    ["the configuration", collect(settings)],
    ["the environment", collect((key) => env[ENVIRONMENT[key]])],
  ];
  const anyPassphrase = sources.map(([, s]) => s.privateKeyPassword).find((p) => p !== undefined);
  const known = hostKey === undefined ? {} : { hostKey };
  return {
    ...{ host, port, user, dialErrorLimit, perDialTimeout, ...known },
    credentials: [
      ...distinct(sources, "privateKey").map(([source, privateKey, { privateKeyPassword }]) => {
        const passphrase = privateKeyPassword ?? anyPassphrase;
        const opened = passphrase === undefined ? {} : { passphrase };
        return { from: `the private key of ${source}`, privateKey, ...opened };
      }),
      ...distinct(sources, "agentSocketPath").map(([source, agent]) => ({ from: `the agent of ${source}`, agent })),
      ...distinct(sources, "password").map(([source, password]) => ({ from: `the password of ${source}`, password })),
    ],
  };
}

/** Each value of a member once, with where it is from first. */
function distinct(sources: readonly [string, Secrets][], key: keyof Secrets): [string, string, Secrets][] {
  return sources.flatMap(([source, secrets], i): [string, string, Secrets][] => {
    const value = secrets[key];
    const before = sources.slice(0, i).some(([, earlier]) => earlier[key] === value);
    return value === undefined || before ? [] : [[source, value, secrets]];
  });
}

/** Where a connection leads: what a resource's identity depends on. */
export const endpoint = (c: Pick<Dial, "host" | "port">): string =>
  c.port === 22 ? c.host : `${c.host.includes(":") ? `[${c.host}]` : c.host}:${c.port.toString()}`;
