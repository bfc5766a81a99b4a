import { openLocal } from "../../provider/host/local";
import { type Shell } from "../../provider/host/shell";

/**
 * A host with nothing but a network: a fresh network namespace on the real kernel, with folders of its own for what the
 * product writes. It is gone when its shell is closed.
 */
export function openNamespace(): Promise<Shell> {
  const folders =
    "mount -t tmpfs run /run && mount -t tmpfs lib /var/lib && ip link set lo up && ip link add eth0 type veth peer name peer0";
  return openLocal("testhost", ["unshare", "--net", "--mount", "sh", "-c", `${folders} && exec "$@"`, "sh"]);
}

/** Everything the product may touch, as text: two equal dumps are two equal hosts. */
export async function fingerprint(shell: Shell): Promise<string> {
  const { stdout } = await shell.run(`
nft -s list ruleset
grep -rs . /proc/sys/net/netfilter /proc/sys/net/ipv4 --exclude=nf_conntrack_count --exclude=tcp_fastopen_key
ip rule; ip route show table all
find /run /var/lib -path "/run/lbshield/??????" -prune -o -type f -print -exec cat {} + | sort; find /run /var/lib -type d | grep -Ev "^/run/lbshield(/......)?$" | sort`);
  return stdout;
}
