"use strict";
// The rules that everybody writes, as arguments and as nft's own text.

const OTHER = 1400;
const USUAL = 1460;

/** Rule number j of n; "one change" is another mss in the one in the middle. */
function rule(j, n, changed) {
  return {
    chain: "input",
    match: { destinations: [`10.${100 + (j >> 8)}.${j & 255}.1`], ports: [80, 443] },
    options: { mss: changed && j === n >> 1 ? OTHER : USUAL, wscale: 7, timestamp: true, sackPerm: true },
  };
}

const rules = (n, changed) => Object.fromEntries(Array.from({ length: n }, (_, j) => [`r${j}`, rule(j, n, changed)]));

/** What the peers' rules stand on: the same maps and dispatch as ours. It may be run any number of times. */
const BASE = `add table inet peer
add map inet peer prerouting4 { type ipv4_addr . inet_service : verdict; }
add map inet peer input4 { type ipv4_addr . inet_service : verdict; }
add set inet peer protected4 { type ipv4_addr; }
add chain inet peer prerouting { type filter hook prerouting priority -300; }
add chain inet peer input { type filter hook input priority -5; }
add chain inet peer output { type filter hook output priority -305; }
flush chain inet peer prerouting
flush chain inet peer input
flush chain inet peer output
add rule inet peer prerouting tcp flags & (fin|syn|rst|ack) == syn ip daddr . tcp dport vmap @prerouting4
add rule inet peer input meta l4proto tcp ct state invalid,untracked ip daddr . tcp dport vmap @input4
add rule inet peer output tcp flags & (fin|syn|rst|ack) == (syn|ack) tcp window 0 ip saddr @protected4 notrack
`;

/** One rule for a peer, with words in the place of its values: a template's loop variable, or the values themselves. */
const text = (name, address, mss) => `add chain inet peer ${name}-pre
add chain inet peer ${name}-in
flush chain inet peer ${name}-pre
flush chain inet peer ${name}-in
add rule inet peer ${name}-pre notrack
add rule inet peer ${name}-in synproxy mss ${mss} wscale 7 timestamp sack-perm
add rule inet peer ${name}-in drop
add element inet peer prerouting4 { ${address} . 80 : goto ${name}-pre, ${address} . 443 : goto ${name}-pre }
add element inet peer input4 { ${address} . 80 : goto ${name}-in, ${address} . 443 : goto ${name}-in }
add element inet peer protected4 { ${address} }
`;

const ruleText = (name, { match, options }) => text(name, match.destinations[0], options.mss);

const removal = (
  name,
  { match: { destinations } },
) => `delete element inet peer prerouting4 { ${destinations[0]} . 80, ${destinations[0]} . 443 }
delete element inet peer input4 { ${destinations[0]} . 80, ${destinations[0]} . 443 }
delete element inet peer protected4 { ${destinations[0]} }
delete chain inet peer ${name}-pre
delete chain inet peer ${name}-in
`;

const script = (all) =>
  BASE +
  Object.entries(all)
    .map((one) => ruleText(...one))
    .join("");

module.exports = { BASE, OTHER, USUAL, removal, ruleText, rules, script, text };
