import { type Shell } from "../../provider/host/shell";
import { changeHost, readHost } from "../../provider/engine/transaction";
import { LAYOUTS } from "../../provider/resources/layout";
import { SYNPROXY_RULE } from "../../provider/resources/synproxy-rule";
import { fingerprint, openNamespace } from "../support/namespace";
import { observedLines } from "../../provider/engine/observed";
import { desiredLines } from "../../provider/engine/desired";

afterEach(() => { open?.close(); });
let open: Shell | undefined;
test("try", async () => {
  const shell = await openNamespace(); open = shell;
  const before = await fingerprint(shell);
  const model = SYNPROXY_RULE.model.parse({ chain: "input", match: { destinations: ["10.0.0.1"], ports: [80, 443, "8000-8080"], interfaces: ["eth0"] }, options: { wscale: 7, timestamp: true, sackPerm: true } });
  const name = "synproxy/acme/prod/web";
  const put = { name, label: "web", ...SYNPROXY_RULE.compile(name, model) };
  const r = await changeHost(shell, { put }, LAYOUTS);
  console.log((await shell.run("nft list ruleset; find /var/lib/lbshield -type f | xargs head -50")).stdout);
  console.log(r.changed, (await changeHost(shell, { put }, LAYOUTS)).changed);
  const seen = await readHost(shell, []);
  console.log(JSON.stringify(observedLines(put, seen, LAYOUTS), null, 1), JSON.stringify(desiredLines(put)) );
  await changeHost(shell, { remove: put }, LAYOUTS);
  expect(await fingerprint(shell)).toBe(before);
  shell.close();
});
