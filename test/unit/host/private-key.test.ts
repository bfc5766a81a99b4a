import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { utils } from "ssh2";

import { readPrivateKey } from "../../../provider/host/private-key";

const folder = mkdtempSync(join(tmpdir(), "lbshield-private-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** A private key as ssh-keygen writes it, and its public line. */
function keygen(...options: string[]): { text: string; line: string } {
  const file = join(mkdtempSync(join(folder, "key-")), "key");
  execFileSync("ssh-keygen", ["-q", "-N", "", "-C", "", "-f", file, ...options]);
  return { text: readFileSync(file, "utf8"), line: readFileSync(`${file}.pub`, "utf8").trim() };
}

/** The public line of a private key, or why there is none. */
function read(text: string, passphrase?: string): string {
  const key = readPrivateKey(text, passphrase);
  return key instanceof Error ? key.message : `${key.type} ${key.getPublicSSH().toString("base64")}`;
}

const ed25519 = keygen("-t", "ed25519");

describe("a private key is read", () => {
  test.each([
    ["ed25519", ["-t", "ed25519"]],
    ["ecdsa 256", ["-t", "ecdsa", "-b", "256"]],
    ["ecdsa 521 in PEM", ["-t", "ecdsa", "-b", "521", "-m", "PEM"]],
    ["ecdsa 384 in PKCS8", ["-t", "ecdsa", "-b", "384", "-m", "PKCS8"]],
    ["rsa", ["-t", "rsa", "-b", "2048"]],
    ["rsa in PEM", ["-t", "rsa", "-b", "2048", "-m", "PEM"]],
    ["rsa in PKCS8", ["-t", "rsa", "-b", "2048", "-m", "PKCS8"]],
  ])("%s", (_name, options) => {
    const { text, line } = keygen(...options);
    expect(read(text)).toBe(line);
    // A passphrase that is not needed does no harm: it may be meant for another key.
    expect(read(text, "not needed")).toBe(line);
  });

  test.each([
    ["ed25519", () => generateKeyPairSync("ed25519").privateKey],
    ["rsa", () => generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey],
    ["ec", () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey],
  ])("%s in encrypted PKCS8", (_name, make) => {
    const key = make();
    const line = read(key.export({ type: "pkcs8", format: "pem" }).toString());
    const text = key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "sesame" }).toString();
    expect(line).toMatch(/^(ssh|ecdsa)-.* AAAA/);
    expect(read(text, "sesame")).toBe(line);
    expect(read(text)).toBe("it is encrypted, but no passphrase was given");
    expect(read(text, "barley")).toBe("bad passphrase?");
  });

  test("and ed25519 from PKCS8 signs what its own public key verifies", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const key = readPrivateKey(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    const line = `ssh-ed25519 ${key instanceof Error ? "" : key.getPublicSSH().toString("base64")}`;
    const known = utils.parseKey(line);
    if (key instanceof Error || known instanceof Error) throw new Error("not read");
    expect(known.verify("text", key.sign("text"))).toBe(true);
    expect(key.getPublicSSH().subarray(-32)).toEqual(
      Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url"),
    );
  });

  test("with spaces around it, and with the line ends of Windows", () => {
    expect(read(`\n  ${ed25519.text}\n\n`)).toBe(ed25519.line);
    expect(read(ed25519.text.replaceAll("\n", "\r\n"))).toBe(ed25519.line);
  });

  test("once: an encrypted one takes its time", () => {
    expect(readPrivateKey(ed25519.text)).toBe(readPrivateKey(ed25519.text));
  });
});

describe("a private key is refused", () => {
  const dsa = "-----BEGIN PRIVATE KEY-----\n%\n-----END PRIVATE KEY-----\n";

  test.each<[string, () => string, RegExp]>([
    ["when it is a public key", () => ed25519.line, /^it is a public key$/],
    ["when it is a file's name", () => "/root/.ssh/id_ed25519", /^Unsupported key format$/],
    ["when it is no key", () => "not a key at all", /^Unsupported key format$/],
    ["when it is cut short", () => ed25519.text.slice(0, 200), /^Unsupported key format$/],
    ["when it is PEM and nothing else", () => dsa.replace("%", "AAAA"), /./],
    [
      "when it is of a type that SSH has not",
      () => generateKeyPairSync("ed448").privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      /^SSH hosts take no key of type ED448 /,
    ],
    [
      "when it is of type DSA",
      () =>
        generateKeyPairSync("dsa", { modulusLength: 1024, divisorLength: 160 })
          .privateKey.export({ type: "pkcs8", format: "pem" })
          .toString(),
      /^SSH hosts take no key of type DSA \(DSA: no more\); make one with ssh-keygen -t ed25519$/,
    ],
  ])("%s", (_name, text, message) => {
    expect(read(text())).toMatch(message);
  });
});
