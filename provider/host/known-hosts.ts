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
export const keyType = (key: Buffer): string =>
  key.length < 4 ? "" : key.toString("latin1", 4, 4 + key.readUInt32BE(0));

export const printKey = (key: Buffer): string => `${keyType(key)} ${key.toString("base64")}`;

/** The types that ssh2 can verify, the best first, each with its signatures. It cannot verify certificates. */
const SIGNATURES: Readonly<Record<string, readonly string[]>> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"],
};

/** What is known of a host. */
export interface Known {
  /** Keys that identify it. */
  readonly keys: readonly HostKey[];
  /** Keys of the same name at port 22. ssh(1) takes one of them when it knows none for the port itself. */
  readonly standard: readonly HostKey[];
  /** Keys that must never be accepted again. */
  readonly revoked: readonly HostKey[];
  /** Is there a certificate authority for it? We do not verify certificates, and say so. */
  readonly authority: boolean;
}

export function knownHost(files: readonly string[], host: string, port: number): Known {
  const lines = files.flatMap((file) => file.split("\n")).flatMap(parseLine);
  const name = host.toLowerCase();
  const named = lines.filter((line) => matches(line.names, port === 22 ? name : `[${name}]:${port.toString()}`));
  const standard = port === 22 ? [] : lines.filter((line) => matches(line.names, name));
  return {
    keys: named.filter((l) => l.marker === undefined),
    standard: standard.filter((l) => l.marker === undefined),
    revoked: [...named, ...standard].filter((l) => l.marker === "@revoked"),
    authority: named.some((l) => l.marker === "@cert-authority"),
  };
}

interface Line extends HostKey {
  readonly marker: string | undefined;
  readonly names: string;
}

function parseLine(line: string): Line[] {
  const words = line.trim().split(/\s+/);
  const marker = words[0]?.startsWith("@") ? words.shift() : undefined;
  const [names, type, base64] = words;
  if (names === undefined || names.startsWith("#") || type === undefined || base64 === undefined) return [];
  return [{ marker, names, type, key: Buffer.from(base64, "base64") }];
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

/** `hostKey` as a program gives it: keys, each a line of known_hosts with or without the name, or fingerprints. */
interface Given {
  readonly keys: readonly HostKey[];
  readonly fingerprints: readonly string[];
}

function parseHostKey(text: string): Given {
  const words = text.trim().split(/\s+/);
  const keys = words.map((word) => Buffer.from(word, "base64")).map((key) => ({ type: keyType(key), key }));
  return {
    keys: keys.filter(({ type, key }, i) => type === words[i - 1] && key.length > 4 + type.length),
    fingerprints: words.filter((word) => /^SHA256:[A-Za-z0-9+/]{43}=?$/.test(word)).map((word) => word.slice(0, 50)),
  };
}

/** Why no host could ever have this `hostKey`, or undefined. */
export function hostKeyProblem(text: string): string | undefined {
  const { keys, fingerprints } = parseHostKey(text);
  if (fingerprints.length > 0 || keys.some(({ type }) => type in SIGNATURES)) return undefined;
  return keys.length > 0
    ? `keys of this type cannot be verified, only ${Object.keys(SIGNATURES).join(", ")}`
    : 'hostKey is a key, like "ssh-ed25519 AAAA...", or its fingerprint, "SHA256:..." (ssh-keygen -lf shows it)';
}

export function matchesHostKey(expected: string, key: Buffer): boolean {
  const { keys, fingerprints } = parseHostKey(expected);
  return fingerprints.includes(fingerprint(key)) || keys.some((k) => k.key.equals(key));
}

/** Why a key is refused, or undefined. */
export function refusal(
  key: Buffer,
  host: string,
  port: number,
  hostKey: string | undefined,
  known: Known,
): Refusal | undefined {
  const offered = `${keyType(key)} ${fingerprint(key)}`;
  const among = (keys: readonly HostKey[]) => keys.some((k) => k.key.equals(key));
  if (among(known.revoked))
    return {
      reason: `its host key ${offered} is marked @revoked in known_hosts`,
      remedy: "find out why before anything else",
    };
  if (hostKey !== undefined)
    return matchesHostKey(hostKey, key)
      ? undefined
      : { reason: `its host key is ${offered}, not the hostKey that was given`, remedy: CHANGED };
  if (among(known.keys)) return undefined;
  if (known.keys.some((k) => k.type === keyType(key)))
    return { reason: `its host key ${offered} differs from the one in known_hosts`, remedy: CHANGED };
  if (known.keys.length > 0) {
    const types = [...new Set(known.keys.map((k) => k.type))].join(", ");
    return { reason: `its host key is ${offered}, but known_hosts has one of type ${types}`, remedy: CHANGED };
  }
  if (among(known.standard)) return undefined;
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

/**
 * Verifies the key of one host. A host that has several shows one, of the type that the client likes best: so the types
 * that we know come first. A fingerprint does not tell its type: then the host is asked for one after the other.
 */
export class HostKeyCheck {
  /** Why the key that the host showed first was refused. */
  refusal: Refusal | undefined;
  private readonly refused: string[] = [];

  constructor(
    private readonly host: string,
    private readonly port: number,
    private readonly hostKey: string | undefined,
    private readonly known: Known,
  ) {}

  /** What to ask the host for, the best first. */
  get algorithms(): string[] {
    const { keys, standard } = this.known;
    const known = this.hostKey === undefined ? [...keys, ...standard] : parseHostKey(this.hostKey).keys;
    const isKnown = (type: string) => known.some((k) => k.type === type);
    const types = Object.keys(SIGNATURES).filter((type) => !this.refused.includes(type));
    return [...types.filter(isKnown), ...types.filter((type) => !isKnown(type))].flatMap(
      (type) => SIGNATURES[type] ?? [],
    );
  }

  readonly verify = (key: Buffer): boolean => {
    const refused = refusal(key, this.host, this.port, this.hostKey, this.known);
    this.refusal = refused && (this.refusal ?? refused);
    if (refused) this.refused.push(keyType(key));
    return refused === undefined;
  };

  /** Was a key refused, and may another of the host's be the one whose fingerprint was given? */
  get mayHaveAnother(): boolean {
    const searched = this.hostKey !== undefined && parseHostKey(this.hostKey).fingerprints.length > 0;
    return searched && this.refused.length > 0 && this.algorithms.length > 0;
  }
}
