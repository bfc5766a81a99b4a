#!/bin/bash
# The quick start (Pulumi.yaml, examples/quickstart) from an empty host to an empty host, on balancers in network
# namespaces. Root; run it by `make demo`. It ends with 0 when every step came out as its line says, else with 1.
# The clone and the user's Pulumi home stay as they are; hosts, stack and folders are gone at the end, however it ends.
set -u -o pipefail
cd "$(dirname "$(readlink -f "$0")")/../.." || exit 1

SYNS=20000
export LAB=${LAB:-demo} LAB_NET=${LAB_NET:-10.95} LAB_STATE=/run/lbshield-lab/${LAB:-demo}
VIP=$LAB_NET.1.100   # the service on lb1
CLIENT=$LAB_NET.1.66 # whom lb1 sees when a real client comes
CONTROL=demo_control # the table that makes lb1 track connections before it is protected

# shellcheck source-path=SCRIPTDIR
. tools/demo/steps.sh

balancer() { # balancer N: into settings, what examples/quickstart asks of one
  local key=balancers.lb$1
  settings+=(--plaintext "$key.host=$LAB_NET.$1.2" --plaintext "$key.address=$LAB_NET.$1.100")
  settings+=(--plaintext "$key.hostKey=$(cut -d' ' -f1,2 "$LAB_STATE/h$1/ssh_host_ed25519_key.pub")")
  settings+=(--plaintext "$key.interface=eth1")
}

# Entries of the service that are not the real client's: the same question, with and without protection.
# The balancer itself has asked its service once for its TCP options.
SPOOFED="conntrack -L -p tcp -d $VIP --dport 80 2>/dev/null | grep -vc -e 'src=$CLIENT ' -e 'src=$VIP dst=$VIP '"

proxy_count() { # proxy_count COLUMN: of /proc/net/stat/synproxy, which has one line for each CPU, in hexadecimal
  local sum=0 value
  for value in $(lab exec 1 cat /proc/net/stat/synproxy 2>/dev/null | awk -v column="$1" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i; next } { print $at }'); do
    sum=$((sum + 16#$value))
  done
  echo "$sum"
}

page_loads() { [ "$(lab get 1 /id -m 5 2>/dev/null)" = backend ]; }

tables_of() { lab exec "$1" nft list tables | grep -cx 'table inet lbshield'; }

start

step "Two load balancers, a client and a web server come up"
run '$' tools/lab/lab.sh up 2
expect 0
for i in 1 2; do lab fingerprint "$i" >"$tmp/h$i.before" || fail "lb$i has no fingerprint"; done
make_project
settings=()
balancer 1
balancer 2
quietly pulumi stack init demo
quietly pulumi config set-all --path "${settings[@]}"
note "Their addresses and host keys are in the configuration of a stack \"demo\", in a temporary folder."
page_loads || fail "the page does not load before anything was done"

step "Without protection: $(commas $SYNS) spoofed SYNs leave as many entries in lb1's connection table"
note "lb1 does not track connections yet, so there would be nothing to count. A table of the demo's own makes it do so,"
note "as any stateful firewall would; it is removed again below."
run 'lb1#' nft "table inet $CONTROL { chain input { type filter hook input priority 0; ct state new counter; }; }"
expect 0
run '$' tools/lab/lab.sh syns "$VIP" 80 "$SYNS"
expect 0
run 'lb1#' "$SPOOFED"
without=$(cat "$tmp/out")
note "Spoofed connections to $VIP:80 (the kernel drops some senders as impossible)."
[ "$without" -ge $((SYNS / 4)) ] || fail "expected at least $((SYNS / 4)) entries without protection, found $without"
run 'lb1#' nft delete table inet "$CONTROL"
expect 0
run 'lb1#' conntrack -F
expect 0

step "The preview shows the lines that each host will have, and changes nothing"
run_trimmed only_lb1 '$' pulumi preview --diff
expect 0 'synproxy mss 1460 wscale 7 timestamp sack-perm; drop' 'nf_conntrack_tcp_loose *: "0"'
[ "$(tables_of 1)$(tables_of 2)" = 00 ] || fail "the preview has changed a host"

step "Apply"
run_trimmed no_progress '$' pulumi up --yes --skip-preview
expect 0 'created'
up_took=$took
[ "$(tables_of 1)$(tables_of 2)" = 11 ] || fail "table inet lbshield is not on both hosts"

step "A client's page loads, through the proxy"
answered=$(proxy_count syn_received) valid=$(proxy_count cookie_valid)
run 'client$' curl -sS -m 5 "http://$VIP/id"
expect 0 '^backend$'
run 'lb1#' cat /proc/net/stat/synproxy
now=$(proxy_count cookie_valid)
note "cookie_valid: $valid before, $now after. The proxy, not the server, shook hands with the client."
[ "$now" -gt "$valid" ] || fail "the page did not come through the proxy"

step "With protection: $(commas $SYNS) spoofed SYNs leave nothing, and the page loads all the while"
loaded=0 missed=0
show '$' tools/lab/lab.sh syns "$VIP" 80 "$SYNS" '&'
lab syns "$VIP" 80 "$SYNS" >"$tmp/out" 2>&1 8<&- &
child=$!
show 'client$' "curl http://$VIP/id   # again and again"
while kill -0 "$child" 2>/dev/null; do
  if page_loads; then loaded=$((loaded + 1)); else missed=$((missed + 1)); fi
  sleep 0.2
done
wait "$child" || fail "the SYNs were not sent: $(cat "$tmp/out")"
child=
run 'lb1#' "$SPOOFED"
with=$(cat "$tmp/out")
answered=$(($(proxy_count syn_received) - answered))
note "The proxy answered $(commas "$answered") SYNs with a cookie. The page loaded $loaded times meanwhile, and failed $missed times."
[ "$with" = 0 ] || fail "expected no entry of a spoofed connection, found $with"
[ "$answered" -ge $((SYNS / 4)) ] || fail "the SYNs did not reach the proxy"
[ "$loaded" -gt 0 ] && [ "$missed" = 0 ] || fail "the page did not always load during the flood"
page_loads || fail "the page does not load after the flood"

step "Somebody changes things by hand on both hosts"
run 'lb1#' nft delete element inet lbshield input4-if "{ \"eth1\" . $VIP . 80 }"
expect 0
run 'lb2#' sysctl -w net.netfilter.nf_conntrack_tcp_loose=1
expect 0

step "A drift run names what they did, changes nothing, and ends with 7"
run '$' pulumi refresh --preview-only --expect-no-changes --diff
expect 7 "- element input4-if { \"eth1\" \. $VIP \. 80 }" 'nf_conntrack_tcp_loose: "0" => "1"'

step "Repair"
run_trimmed no_progress '$' pulumi up --refresh --yes --skip-preview
expect 0 'updated'
run_trimmed no_progress '$' pulumi refresh --preview-only --expect-no-changes
expect 0 'unchanged'
page_loads || fail "the page does not load after the repair"

step "Destroy"
run_trimmed no_progress '$' pulumi destroy --yes --skip-preview
expect 0 'deleted'

step "Both hosts are as they were: ruleset, sysctls, rules, routes, files"
for i in 1 2; do
  lab fingerprint "$i" >"$tmp/h$i.after" || fail "lb$i has no fingerprint"
  (cd "$tmp" && run '$' diff "h$i.before" "h$i.after") || fail "lb$i is not as it was"
  note "lb$i: no difference in $(wc -l <"$tmp/h$i.before") lines."
done
page_loads || fail "the page does not load any more"

summary
