import { openLocal } from "../../provider/host/local";
import { type Shell } from "../../provider/host/shell";

/**
 * A host with nothing but a network: a fresh network namespace on the real kernel, with folders of its own for what the
 * product writes. It is gone when its shell is closed.
 */
export function openNamespace(): Promise<Shell> {
  const folders = "mount -t tmpfs run /run && mount -t tmpfs lib /var/lib && ip link set lo up && ip link add eth0 type veth peer name peer0";
  return openLocal("testhost", ["unshare", "--net", "--mount", "sh", "-c", `${folders} && exec "$@"`, "sh"]);
}

/** Everything the product may touch, as text: two equal dumps are two equal hosts. */
export async function fingerprint(shell: Shell): Promise<string> {
  const { stdout } = await shell.run(`
nft -s list ruleset
for f in /proc/sys/net/netfilter/* /proc/sys/net/ipv4/tcp_* /proc/sys/net/ipv4/conf/*/*; do
  case $f in */nf_conntrack_count | *fastopen_key) ;; *) [ ! -r "$f" ] || echo "$f $(cat "$f" 2>/dev/null)" ;; esac
done
ip rule; ip route show table all
find /run /var/lib -path "/run/lbshield.*" -prune -o -print | sort`);
  return stdout;
}
