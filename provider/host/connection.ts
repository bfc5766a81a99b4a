/** How to reach a host: the argument shape of @pulumi/command, completed from configuration and environment. */
import { z } from "zod";

import { reason, wholeNumber } from "../values";

const text = (what: string) =>
  z.string({ error: reason(`${what} is a text`) }).min(1, { error: reason(`${what} is empty`) });

const dial = {
  /** The host's name or address. */
  host: text("host"),
  /** The port of its sshd, 1 to 65535; default 22. */
  port: wholeNumber(1, 65535, "port").default(22),
  /** The user to log in as: root (the default), or one with sudo that asks for no password. */
  user: text("user").default("root"),
  /**
   * A private key, its content (not its file's name). Better given as `lbshield:privateKey` in the configuration, as
   * LBSHIELD_PRIVATE_KEY or by the agent: then it is not in the state.
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
  hostKey: text("hostKey").optional(),
  /** How often to dial a host that does not answer, 1 or more; -1 without end; default 10. */
  dialErrorLimit: wholeNumber(-1, 1000, "dialErrorLimit").default(10),
  /** How long one dial may take, in seconds; 0 without end; default 15. */
  perDialTimeout: wholeNumber(0, 3600, "perDialTimeout").default(15),
};

const proxy = z.strictObject(dial, { error: reason("proxy is the connection of a bastion: { host, user, ... }") });

export const connection = z.strictObject(
  {
    ...dial,
    /** A bastion to go through. */
    proxy: proxy.optional(),
  },
  { error: reason('a connection is an object such as { host: "lb1.example.net", user: "root" }') },
);

/** What a program writes; the same shape as @pulumi/command's `remote.ConnectionArgs`. */
export type ConnectionArgs = z.input<typeof connection>;
export type Connection = z.output<typeof connection>;
export type Dial = Omit<Connection, "proxy">;

/** Never shown, never stored in plain text. */
export const SECRET_MEMBERS = ["privateKey", "privateKeyPassword", "password"] as const;

/** Provider configuration by key, without the `lbshield:` prefix. */
export type Settings = (key: string) => string | undefined;

/**
 * Credentials as they are now: the configuration goes before the arguments, which come from the state when a resource
 * is read or deleted and may be older; the environment fills what is left.
 */
export function withCredentials<D extends Dial>(dial: D, settings: Settings, env: NodeJS.ProcessEnv): D {
  const pick = (key: string, variable: string, own: string | undefined) => settings(key) ?? own ?? env[variable];
  const found = {
    privateKey: pick("privateKey", "LBSHIELD_PRIVATE_KEY", dial.privateKey),
    privateKeyPassword: pick("privateKeyPassword", "LBSHIELD_PRIVATE_KEY_PASSWORD", dial.privateKeyPassword),
    password: pick("password", "LBSHIELD_PASSWORD", dial.password),
    agentSocketPath: pick("agentSocketPath", "SSH_AUTH_SOCK", dial.agentSocketPath),
  };
  return { ...dial, ...Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) };
}

/** Where a connection leads: what a resource's identity depends on. */
export const endpoint = (c: Pick<Dial, "host" | "port">): string =>
  c.port === 22 ? c.host : `${c.host.includes(":") ? `[${c.host}]` : c.host}:${c.port.toString()}`;
