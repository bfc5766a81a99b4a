/** Host keys: which we expect of a host, and what to say of one that we did not. sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** A public key as in known_hosts: its type and its base64. */
export interface HostKey {
  readonly type: string;
  readonly key: Buffer;
}

export const fingerprint = (key: Buffer): string =>
  `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;

/** The type stands in front of the key itself, behind its length. RFC 4253, 6.6. */
export const keyType = (key: Buffer): string => key.toString("latin1", 4, 4 + key.readUInt32BE(0));

export const printKey = (key: Buffer): string => `${keyType(key)} ${key.toString("base64")}`;

/** What is known of a host. */
export interface Known {
  /** Keys that identify it. */
  readonly keys: readonly HostKey[];
  /** Keys that must never be accepted again. */
  readonly revoked: readonly HostKey[];
  /** Is there a certificate authority for it? We do not verify certificates, and say so. */
  readonly authority: boolean;
}

export function knownHost(files: readonly string[], host: string, port: number): Known {
  const name = port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port.toString()}`;
  const lines = files.flatMap((file) => file.split("\n")).flatMap((line) => parseLine(line, name));
  return {
    keys: lines.filter((l) => l.marker === undefined).map((l) => l.key),
    revoked: lines.filter((l) => l.marker === "@revoked").map((l) => l.key),
    authority: lines.some((l) => l.marker === "@cert-authority"),
  };
}

function parseLine(line: string, name: string): { marker: string | undefined; key: HostKey }[] {
  const words = line.trim().split(/\s+/);
  const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
  const [names, type, base64] = words;
  if (names === undefined || names.startsWith("#") || type === undefined || base64 === undefined) return [];
  return matches(names, name) ? [{ marker, key: { type, key: Buffer.from(base64, "base64") } }] : [];
}

function matches(names: string, name: string): boolean {
  if (names.startsWith("|1|")) return hashedMatch(names, name);
  const patterns = names.toLowerCase().split(",");
  const hit = (pattern: string) => glob(pattern).test(name);
  return (
    !patterns.some((p) => p.startsWith("!") && hit(p.slice(1))) && patterns.some((p) => !p.startsWith("!") && hit(p))
  );
}

function hashedMatch(names: string, name: string): boolean {
  const [, , salt = "", hash = ""] = names.split("|");
  const expected = Buffer.from(hash, "base64");
  const found = createHmac("sha1", Buffer.from(salt, "base64")).update(name).digest();
  return expected.length === found.length && timingSafeEqual(expected, found);
}

const glob = (pattern: string): RegExp =>
  new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".")}$`,
  );

/** `hostKey` as a program gives it: a key, or a fingerprint. */
export const matchesHostKey = (expected: string, key: Buffer): boolean =>
  expected.startsWith("SHA256:")
    ? expected.replace(/=+$/, "") === fingerprint(key)
    : expected.trim().split(/\s+/).includes(key.toString("base64"));

/** Why a key is refused, or undefined. */
export function refusal(
  key: Buffer,
  host: string,
  port: number,
  hostKey: string | undefined,
  known: Known,
): Refusal | undefined {
  const offered = `${keyType(key)} ${fingerprint(key)}`;
  if (known.revoked.some((k) => k.key.equals(key)))
    return {
      reason: `its host key ${offered} is marked @revoked in known_hosts`,
      remedy: "find out why before anything else",
    };
  if (hostKey !== undefined)
    return matchesHostKey(hostKey, key)
      ? undefined
      : { reason: `its host key is ${offered}, not the hostKey that was given`, remedy: CHANGED };
  if (known.keys.some((k) => k.key.equals(key))) return undefined;
  if (known.keys.length > 0)
    return { reason: `its host key ${offered} differs from the one in known_hosts`, remedy: CHANGED };
  const name = port === 22 ? host : `[${host}]:${port.toString()}`;
  const authority = known.authority
    ? " (known_hosts has a certificate authority for it; certificates are not supported)"
    : "";
  return {
    reason: `its host key is not known: ${offered}${authority}`,
    remedy:
      `compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_${shortType(key)}_key.pub), then add to ` +
      `~/.ssh/known_hosts:  ${name} ${printKey(key)}  or set connection.hostKey to "${printKey(key)}"`,
  };
}

export interface Refusal {
  readonly reason: string;
  readonly remedy: string;
}

const CHANGED =
  "the host was reinstalled, or somebody stands in between: compare the fingerprint on the host's console";

const shortType = (key: Buffer): string => {
  const type = keyType(key);
  return type.startsWith("ecdsa") ? "ecdsa" : type.replace(/^ssh-/, "");
};
