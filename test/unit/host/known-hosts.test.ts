import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  HostKeyCheck,
  fingerprint,
  keyType,
  knownHost,
  matchesHostKey,
  printKey,
  refusal,
} from "../../../provider/host/known-hosts";

/** Keys of one host and of another, as ssh-keygen makes them. */
const folder = mkdtempSync(join(tmpdir(), "lbshield-keys-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function makeKey(type: "ed25519" | "ecdsa" | "rsa", name: string) {
  const file = join(folder, `${name}_${type}`);
  execFileSync("ssh-keygen", [
    "-q",
    "-t",
    type,
    ...(type === "rsa" ? ["-b", "1024"] : []),
    "-N",
    "",
    "-C",
    "",
    "-f",
    file,
  ]);
  const line = readFileSync(`${file}.pub`, "utf8").trim();
  const [, sha256 = ""] = execFileSync("ssh-keygen", ["-lf", `${file}.pub`], { encoding: "utf8" }).split(" ");
  return { type, line, sha256, key: Buffer.from(line.split(" ")[1] ?? "", "base64") };
}

const ed25519 = makeKey("ed25519", "host");
const other = makeKey("ed25519", "other");
const keys = [ed25519, makeKey("ecdsa", "host"), makeKey("rsa", "host")];

describe.each(keys)("an $type key", ({ line, sha256, key }) => {
  test("is printed as ssh-keygen prints it", () => {
    expect(printKey(key)).toBe(line);
    expect(`${keyType(key)} `).toBe(line.slice(0, line.indexOf(" ") + 1));
  });

  test("has the fingerprint that ssh-keygen -l shows", () => {
    expect(fingerprint(key)).toBe(sha256);
  });

  test("is known by its line in known_hosts", () => {
    const known = knownHost([`lb1 ${line}\n`], "lb1", 22);
    expect(known.keys.map((k) => k.key)).toEqual([key]);
    expect(refusal(key, "lb1", 22, undefined, known)).toBeUndefined();
  });

  test.each([
    ["as a key", line],
    ["as a key with a comment", `${line} root@lb1`],
    ["as a key with spaces around it", `  ${line}\n`],
    ["as a fingerprint", sha256],
    ["as a fingerprint with padding", `${sha256}=`],
  ])("matches the hostKey that is given %s, and no other key does", (_name, hostKey) => {
    expect(matchesHostKey(hostKey, key)).toBe(true);
    expect(matchesHostKey(hostKey, other.key)).toBe(false);
  });
});

test.each([
  "",
  "ssh-ed25519",
  "SHA256:",
  `MD5:00`,
  ed25519.sha256.slice(7),
  ed25519.sha256.slice(0, -1),
  ed25519.line.slice(0, -1),
])("hostKey %j matches no key", (hostKey) => {
  expect(matchesHostKey(hostKey, ed25519.key)).toBe(false);
});

/** How many keys a file knows of a host. */
const knows = (file: string, host: string, port = 22): number => knownHost([file], host, port).keys.length;

describe("a line names a host", () => {
  test.each<[string, string, number, boolean]>([
    ["lb1", "lb1", 22, true],
    ["lb1", "LB1", 22, true],
    ["LB1.Example.NET", "lb1.example.net", 22, true],
    ["lb1", "lb10", 22, false],
    ["lb1", "alb1", 22, false],
    ["lb1.example.net", "lb1xexample.net", 22, false],
    ["lb1,192.0.2.1", "192.0.2.1", 22, true],
    ["lb1,192.0.2.1", "192.0.2.10", 22, false],
    ["lb1", "lb1", 2222, false],
    ["[lb1]:2222", "lb1", 2222, true],
    ["[lb1]:2222", "lb1", 22, false],
    ["[lb1]:2222", "lb1", 2223, false],
    ["[lb1]:2222,lb1", "lb1", 22, true],
    ["2001:db8::1", "2001:db8::1", 22, true],
    ["[2001:db8::1]:2222", "2001:db8::1", 2222, true],
    ["*.example.net", "lb1.example.net", 22, true],
    ["*.example.net", "example.net", 22, false],
    ["*.example.net", "lb1.example.net", 2222, false],
    ["[*.example.net]:2222", "lb1.example.net", 2222, true],
    ["[*]:2222", "lb1", 2222, true],
    ["192.0.2.*", "192.0.2.77", 22, true],
    ["192.0.2.?", "192.0.2.7", 22, true],
    ["192.0.2.?", "192.0.2.77", 22, false],
    ["*", "lb1", 22, true],
    ["*.example.net,!lb1.example.net", "lb2.example.net", 22, true],
    ["*.example.net,!lb1.example.net", "lb1.example.net", 22, false],
    ["!lb1.example.net,*.example.net", "lb1.example.net", 22, false],
    ["!lb1", "lb2", 22, false],
    ["a+b", "aab", 22, false],
  ])("%s: %s, port %d: %p", (names, host, port, expected) => {
    expect(knows(`${names} ${ed25519.line}\n`, host, port)).toBe(expected ? 1 : 0);
  });
});

describe("a file that ssh-keygen -H has hashed", () => {
  const file = join(folder, "known_hosts");
  const hashed = (names: string): string => {
    writeFileSync(file, `${names} ${ed25519.line}\n`);
    execFileSync("ssh-keygen", ["-q", "-H", "-f", file], { stdio: "ignore" });
    const text = readFileSync(file, "utf8");
    expect(text).toMatch(/^\|1\|/);
    return text;
  };

  test.each<[string, string, number, boolean]>([
    ["lb1", "lb1", 22, true],
    ["lb1", "LB1", 22, true],
    ["lb1", "lb2", 22, false],
    ["lb1", "lb1", 2222, false],
    ["[lb1]:2222", "lb1", 2222, true],
    ["[lb1]:2222", "lb1", 22, false],
    ["192.0.2.1", "192.0.2.1", 22, true],
  ])("of %s: %s, port %d: %p", (names, host, port, expected) => {
    expect(knows(hashed(names), host, port)).toBe(expected ? 1 : 0);
  });

  test("with several names on a line knows each of them", () => {
    const text = hashed("lb1,192.0.2.1,[lb1]:2222");
    expect([knows(text, "lb1"), knows(text, "192.0.2.1"), knows(text, "lb1", 2222), knows(text, "lb2")]).toEqual([
      1, 1, 1, 0,
    ]);
  });
});

describe("a file", () => {
  test("may have comments, empty lines, and comments behind keys", () => {
    const file = `# lb1 ${ed25519.line}\n\n   # indented\n  lb1\t${ed25519.line} root@lb1, made in May\n`;
    expect(knows(file, "lb1")).toBe(1);
  });

  test("may have the line ends of Windows", () => {
    expect(
      refusal(ed25519.key, "lb1", 22, undefined, knownHost([`lb1 ${ed25519.line}\r\n`], "lb1", 22)),
    ).toBeUndefined();
  });

  test("may know several keys of a host, and each of them is good", () => {
    const known = knownHost([keys.map((k) => `lb1 ${k.line}`).join("\n")], "lb1", 22);
    expect(known.keys.map((k) => k.type)).toEqual(keys.map((k) => k.line.split(" ")[0]));
    for (const { key } of keys) expect(refusal(key, "lb1", 22, undefined, known)).toBeUndefined();
  });

  test("is one of several", () => {
    expect(knownHost(["", `lb1 ${ed25519.line}`, `lb1 ${other.line}`], "lb1", 22).keys).toHaveLength(2);
  });

  test.each(["", "\n\n", "lb1", "lb1 ssh-ed25519", `@revoked lb1`, `@unheard-of lb1 ${ed25519.line}`, "|1|x lb1"])(
    "without a whole line knows nobody: %j",
    (file) => {
      expect(knownHost([file], "lb1", 22).keys).toEqual([]);
    },
  );

  test("tells revoked keys and authorities from keys", () => {
    const file = [
      `@revoked * ${other.line}`,
      `@cert-authority *.example.net ${other.line}`,
      `lb1 ${ed25519.line}`,
    ].join("\n");
    const known = (host: string) => knownHost([file], host, 22);
    expect(known("lb1")).toMatchObject({
      keys: [{ key: ed25519.key }],
      revoked: [{ key: other.key }],
      authority: false,
    });
    expect(known("lb1.example.net")).toMatchObject({ keys: [], authority: true });
  });
});

describe("a key is refused", () => {
  const CHANGED =
    "the host was reinstalled, or somebody stands in between: compare the fingerprint on the host's console";
  const OFFERED = `ssh-ed25519 ${ed25519.sha256}`;
  const refused = (file: string, hostKey?: string, port = 22) =>
    refusal(ed25519.key, "lb1", port, hostKey, knownHost([file], "lb1", port));

  test("that nobody knows, with all it takes to make it known", () => {
    expect(refused("")).toEqual({
      reason: `its host key is not known: ${OFFERED}`,
      remedy:
        "compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add to " +
        `~/.ssh/known_hosts:  lb1 ${ed25519.line}  or set connection.hostKey to "${ed25519.line}"`,
    });
  });

  test("on another port, with the name that known_hosts has for it", () => {
    const { remedy = "" } = refused("", undefined, 2222) ?? {};
    expect(remedy).toContain(`known_hosts:  [lb1]:2222 ${ed25519.line}  or`);
    const line = /known_hosts: {2}(.*) {2}or/.exec(remedy)?.[1] ?? "";
    expect(refused(line, undefined, 2222)).toBeUndefined();
  });

  test.each(keys)("with the file where the host has its own $type key", ({ key, type }) => {
    expect(refusal(key, "lb1", 22, undefined, knownHost([], "lb1", 22))?.remedy).toContain(
      `/etc/ssh/ssh_host_${type}_key.pub`,
    );
  });

  test("where only an authority is known, and says that certificates are not verified", () => {
    expect(refused(`@cert-authority * ${other.line}`)?.reason).toBe(
      `its host key is not known: ${OFFERED} (known_hosts has a certificate authority for it; certificates are not supported)`,
    );
  });

  test("that differs from the known one", () => {
    expect(refused(`lb1 ${other.line}`)).toEqual({
      reason: `its host key ${OFFERED} differs from the one in known_hosts`,
      remedy: CHANGED,
    });
  });

  test("of another type than the known ones", () => {
    const types = keys.slice(1).map((k) => k.line.split(" ")[0]);
    expect(
      refused(
        keys
          .slice(1)
          .map((k) => `lb1 ${k.line}`)
          .join("\n"),
      ),
    ).toEqual({
      reason: `its host key is ${OFFERED}, but known_hosts has one of type ${types.join(", ")}`,
      remedy: CHANGED,
    });
  });

  describe("on another port than 22, where known_hosts has", () => {
    test("the key of port 22: it is good, as for ssh", () => {
      expect(refused(`lb1 ${ed25519.line}`, undefined, 2222)).toBeUndefined();
    });

    test("another key of port 22: it is not known", () => {
      expect(refused(`lb1 ${other.line}`, undefined, 2222)?.reason).toBe(`its host key is not known: ${OFFERED}`);
    });

    test("another key of its own: it differs, even from the one of port 22", () => {
      expect(refused(`[lb1]:2222 ${other.line}\nlb1 ${ed25519.line}`, undefined, 2222)?.reason).toContain("differs");
    });

    test("it revoked at port 22", () => {
      expect(refused(`[lb1]:2222 ${ed25519.line}\n@revoked lb1 ${ed25519.line}`, undefined, 2222)?.reason).toContain(
        "@revoked",
      );
    });
  });

  test("that is not the given one, even when known_hosts knows it", () => {
    for (const hostKey of [other.line, other.sha256])
      expect(refused(`lb1 ${ed25519.line}`, hostKey)).toEqual({
        reason: `its host key is ${OFFERED}, not the hostKey that was given`,
        remedy: CHANGED,
      });
  });

  test("that is revoked, even when it is known and given", () => {
    expect(refused(`lb1 ${ed25519.line}\n@revoked * ${ed25519.line}`, ed25519.line)).toEqual({
      reason: `its host key ${OFFERED} is marked @revoked in known_hosts`,
      remedy: "find out why before anything else",
    });
  });

  test("but not when it is the given one, whatever known_hosts says", () => {
    for (const hostKey of [ed25519.line, ed25519.sha256]) expect(refused(`lb1 ${other.line}`, hostKey)).toBeUndefined();
  });
});

describe("a host is asked", () => {
  const [, ecdsa, rsa] = keys as [typeof ed25519, typeof ed25519, typeof ed25519];
  const ALL = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-rsa",
  ];
  const RSA = ALL.slice(4);
  const check = (file: string, hostKey?: string, port = 22) =>
    new HostKeyCheck("lb1", port, hostKey, knownHost([file], "lb1", port));
  const first = (...types: string[]) => [...types, ...ALL.filter((type) => !types.includes(type))];

  test.each<[string, string, string | undefined, string[]]>([
    ["for every type when nothing is known", "", undefined, ALL],
    ["for the known type first", `lb1 ${rsa.line}`, undefined, first(...RSA)],
    [
      "for the best of the known types first",
      `lb1 ${rsa.line}\nlb1 ${ecdsa.line}`,
      undefined,
      first(ecdsa.line.split(" ")[0]!, ...RSA),
    ],
    ["for the type of the given key first", `lb1 ${ecdsa.line}`, rsa.line, first(...RSA)],
    ["for nothing that cannot be verified", "lb1 ssh-dss AAAA\nlb1 sk-ssh-ed25519@openssh.com AAAA", undefined, ALL],
    ["for no type first when a fingerprint is given", `lb1 ${rsa.line}`, rsa.sha256, ALL],
  ])("%s", (_name, file, hostKey, expected) => {
    expect(check(file, hostKey).algorithms).toEqual(expected);
  });

  test("for the type that is known at port 22", () => {
    expect(check(`lb1 ${rsa.line}`, undefined, 2222).algorithms).toEqual(first(...RSA));
  });

  test("for one type after the other, when the one it has shown does not have the given fingerprint", () => {
    const search = check("", rsa.sha256);
    expect(search.mayHaveAnother).toBe(false);
    expect(search.verify(ed25519.key)).toBe(false);
    expect(search.mayHaveAnother).toBe(true);
    expect(search.algorithms).toEqual(ALL.slice(1));
    expect(search.verify(ecdsa.key)).toBe(false);
    expect(search.refusal?.reason).toContain(`ssh-ed25519 ${ed25519.sha256}`);
    expect(search.verify(rsa.key)).toBe(true);
    expect(search.refusal).toBeUndefined();
  });

  test("no further when a key itself was given, or known_hosts decides", () => {
    for (const search of [check("", rsa.line), check(`lb1 ${rsa.line}`)]) {
      expect(search.verify(ed25519.key)).toBe(false);
      expect(search.mayHaveAnother).toBe(false);
    }
  });

  test("no further when it has shown a key of every type", () => {
    const search = check("", other.sha256);
    const [p384, p521] = ["ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"].map((type) => {
      const key = Buffer.alloc(4 + type.length + 8);
      key.writeUInt32BE(type.length);
      key.write(type, 4);
      return key;
    });
    for (const key of [ed25519.key, ecdsa.key, p384!, p521!, rsa.key]) expect(search.verify(key)).toBe(false);
    expect(search.mayHaveAnother).toBe(false);
  });
});
