/** What a real sshd is not easily brought to do: against a server in this process, and names that are made up. */
import dns from "node:dns";
import { type AddressInfo, createServer } from "node:net";

import { Server, utils } from "ssh2";

import { type ConnectionArgs, connection, wayTo, withCredentials } from "../../../provider/host/connection";
import { openSsh } from "../../../provider/host/ssh";

const { private: hostKey, public: hostLine } = utils.generateKeyPairSync("ed25519");
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
  jest.restoreAllMocks();
});

const open = (args: ConnectionArgs) =>
  openSsh(wayTo(connection.parse(args)).map((dial) => withCredentials(dial, () => undefined, {})));
const reasonOf = async (args: ConnectionArgs): Promise<string> => {
  const error: unknown = await open(args).catch((e: unknown) => e);
  return error instanceof Error ? error.message.split("\n")[0]! : "no error";
};

/** A bastion that opens so many channels over each connection and prohibits further ones; notes its connections. */
async function bastion(channels: number): Promise<{ way: ConnectionArgs; connections: () => number }> {
  let connections = 0;
  const server = new Server({ hostKeys: [hostKey] }, (client) => {
    connections++;
    let left = channels;
    client.on("error", () => undefined);
    client.on("authentication", (auth) => {
      auth.accept();
    });
    client.on("ready", () => {
      const forward = (accept: () => NodeJS.WritableStream) => {
        // Without a listener ssh2's server prohibits.
        if (--left === 0) client.off("tcpip", forward as never);
        const channel = accept();
        setTimeout(() => {
          channel.end("nobody speaks SSH here\r\n");
        }, 300);
      };
      if (left > 0) client.on("tcpip", forward as never);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const way = { host: "127.0.0.1", port, hostKey: hostLine, password: "any", dialErrorLimit: 1 };
  return { way, connections: () => connections };
}

describe("a bastion that prohibits a channel", () => {
  const hosts = (proxy: ConnectionArgs, count: number) =>
    Promise.all(
      Array.from({ length: count }, (_, n) =>
        reasonOf({ host: `host${n.toString()}`, password: "any", dialErrorLimit: 1, proxy }),
      ),
    );

  test("has too many: the host is reached over another connection", async () => {
    const { way, connections } = await bastion(2);
    for (const reason of await hosts(way, 6)) expect(reason).toMatch(/closed the connection before it said a word/);
    expect(connections()).toBe(3);
  });

  test("opens none at all: that is told for each host, after a few connections", async () => {
    const { way, connections } = await bastion(0);
    const reasons = await hosts(way, 4);
    for (const reason of reasons)
      expect(reason).toMatch(/^connect on host\d: bastion 127\.0\.0\.1:\d+: it does not forward to host\d: /);
    expect(connections()).toBeLessThanOrEqual(4);
  });
});

describe("a name", () => {
  /** As dns.lookup answers; counts how often it is asked. */
  const names = (answer: (n: number) => NodeJS.ErrnoException | dns.LookupAddress[]) => {
    let asked = 0;
    jest.spyOn(dns, "lookup").mockImplementation(((
      name: string,
      _options: object,
      done: (...args: unknown[]) => void,
    ) => {
      const found = answer(asked++);
      setImmediate(() => {
        done(
          ...(found instanceof Error
            ? [Object.assign(found, { message: `getaddrinfo ${found.code ?? ""} ${name}` })]
            : [null, found]),
        );
      });
    }) as never);
    return () => asked;
  };
  const failing = (code: string) => Object.assign(new Error(code), { code });
  const lb1: ConnectionArgs = { host: "lb1.example.net", port: 1, password: "any", dialErrorLimit: 3 };

  test("that does not exist is an error at once", async () => {
    const asked = names(() => failing("ENOTFOUND"));
    expect(await reasonOf(lb1)).toMatch(/there is no host of this name: .*ENOTFOUND lb1\.example\.net/);
    expect(asked()).toBe(1);
  });

  test("that cannot be looked up just now is looked up again", async () => {
    const asked = names(() => failing("EAI_AGAIN"));
    expect(await reasonOf(lb1)).toMatch(/no answer after 3 attempts in [12] s: .*EAI_AGAIN/);
    expect(asked()).toBe(3);
  });

  test("with several addresses that all refuse: each is told", async () => {
    names(() => [
      { address: "127.0.0.1", family: 4 },
      { address: "127.0.0.2", family: 4 },
    ]);
    expect(await reasonOf({ ...lb1, dialErrorLimit: 1 })).toMatch(
      /ECONNREFUSED 127\.0\.0\.1:1, .*ECONNREFUSED 127\.0\.0\.2:1/,
    );
  });
});

test("a server that is no SSH server is given up with its time", async () => {
  const server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  expect(await reasonOf({ host: "127.0.0.1", port, password: "any", dialErrorLimit: 2 })).toMatch(
    /no answer after 2 attempts in \d s: the host closed the connection before it said a word/,
  );
});
