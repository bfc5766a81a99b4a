/** Private keys in every form that people have them in, as ssh2 takes them. */
import { type KeyObject, createPrivateKey } from "node:crypto";

import { type ParsedKey, utils } from "ssh2";

import { messageOf } from "../errors";

const read = new Map<string, ParsedKey | Error>();

/** An error is a reason to show. Opening an encrypted key takes most of a second: once for all hosts that it opens. */
export function readPrivateKey(text: string, passphrase?: string): ParsedKey | Error {
  const name = JSON.stringify([text, passphrase]);
  const key = read.get(name) ?? parse(text, passphrase);
  read.set(name, key);
  return key;
}

function parse(text: string, passphrase: string | undefined): ParsedKey | Error {
  try {
    // ssh2 reads OpenSSH's own format, and of the others some; Node reads all of them.
    const isPem = /-----BEGIN (RSA |EC |DSA |ENCRYPTED |)PRIVATE KEY-----/.test(text);
    const key = utils.parseKey(isPem ? fromPem(text, passphrase) : text, passphrase);
    if (key instanceof Error) return key;
    if (!key.isPrivateKey()) return new Error("it is a public key");
    if (key.type === "ssh-dss") return notTaken("DSA");
    return key;
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}

function fromPem(text: string, passphrase: string | undefined): string {
  const key = decrypt(text, passphrase);
  switch (key.asymmetricKeyType) {
    case "rsa":
      return key.export({ type: "pkcs1", format: "pem" }).toString();
    case "ec":
      return key.export({ type: "sec1", format: "pem" }).toString();
    case "ed25519":
      return openSsh(key);
    default:
      throw notTaken((key.asymmetricKeyType ?? "unknown").toUpperCase());
  }
}

const notTaken = (type: string): Error =>
  new Error(`SSH hosts take no key of type ${type} (DSA: no more); make one with ssh-keygen -t ed25519`);

function decrypt(text: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey({ key: text.trim(), ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    if (!text.includes("ENCRYPTED")) throw error;
    throw new Error(passphrase === undefined ? "it is encrypted, but no passphrase was given" : "bad passphrase?", {
      cause: error,
    });
  }
}

/** An Ed25519 key in OpenSSH's format, the only one in which ssh2 reads it. OpenSSH, PROTOCOL.key. */
function openSsh(key: KeyObject): string {
  const { d = "", x = "" } = key.export({ format: "jwk" });
  const [secret, point] = [Buffer.from(d, "base64url"), Buffer.from(x, "base64url")];
  const check = Buffer.alloc(8); // twice the same number: a wrong passphrase would make them differ
  const content = Buffer.concat([check, strings("ssh-ed25519", point, Buffer.concat([secret, point]), "")]);
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7].slice(0, (8 - (content.length % 8)) % 8));
  const file = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    strings("none", "none", ""), // neither cipher nor key derivation
    Buffer.from([0, 0, 0, 1]), // one key
    strings(strings("ssh-ed25519", point), Buffer.concat([content, padding])),
  ]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${file.toString("base64")}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** RFC 4251, 5: each behind its length. */
function strings(...parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(part));
      return [length, Buffer.from(part as string)];
    }),
  );
}
