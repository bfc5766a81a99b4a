/**
 * A host whose conntrack has been idle knows none of its live connections. If our rules woke it with tcp_loose=0, all
 * of them would be invalid: an operator's `ct state invalid drop` would cut them, the SSH session that carries this
 * change first of all. So conntrack is woken with tcp_loose=1, a second before: what sends a packet meanwhile is taken
 * up. (Measured: without it 4 of 4 connections broke, and the session froze for good.)
 */
import { type Line } from "../kernel/nftables/script";
import { type Step } from "../kernel/step";
import { sysctlPath } from "../kernel/sysctl/sysctl";
import { TABLE_REF } from "./desired";

const LOOSE = sysctlPath("net.netfilter.nf_conntrack_tcp_loose");
const COUNT = sysctlPath("net.netfilter.nf_conntrack_count");
const CHAIN = `${TABLE_REF} warm`;
const ID = "conntrack";

/** Only the first rules of a host wake it; conntrack that tracks anything, our own session at least, is awake. */
const wakes = (forward: readonly Line[]): boolean => {
  const table = forward.filter((line) => line.id === "table").map((line) => line.text);
  return table.length === 1 && table[0]?.startsWith("add ") === true;
};

/** Before the rules. A line to descriptor 8 is a packet of our own session. */
export const warmStep = (forward: readonly Line[]): Step[] =>
  wakes(forward)
    ? [
        {
          id: ID,
          run: `( if [ "$(cat ${COUNT})" = 0 ] && cat ${LOOSE} >"$LBS/loose" && echo 1 >${LOOSE}; then
  nft "add table ${TABLE_REF}; add chain ${CHAIN} { type filter hook prerouting priority -199 ; }; add rule ${CHAIN} ct state new" || exit 1
  echo >&8
  sleep 1
  cat "$LBS/loose" >${LOOSE}
fi )`,
          back: `if [ -e "$LBS/loose" ]; then
  cat "$LBS/loose" >${LOOSE}
  [ -e "$LBS/applied" ] || nft "add table ${TABLE_REF}; delete table ${TABLE_REF}"
fi`,
        },
      ]
    : [];

/** After the rules, which keep conntrack awake from now on. */
export const cooledStep = (forward: readonly Line[]): Step[] =>
  wakes(forward)
    ? [
        {
          id: ID,
          run: `[ ! -e "$LBS/loose" ] || { nft "flush chain ${CHAIN}; delete chain ${CHAIN}" && rm "$LBS/loose"; }`,
          back: ":",
        },
      ]
    : [];
