#!/bin/sh
# Installs the Debian packages that the tests and the lab need. Silent when nothing is missing.
set -eu

# package:command. Looking for the commands, not the packages, is quicker and holds on any distribution.
NEEDED="openssh-server:sshd openssh-client:ssh nftables:nft conntrack:conntrack hping3:hping3 iproute2:ip
haproxy:haproxy sudo:sudo curl:curl python3:python3 procps:sysctl kmod:modprobe tcpdump:tcpdump util-linux:unshare
qemu-system-x86:qemu-system-x86_64 qemu-utils:qemu-img mmdebstrap:mmdebstrap e2fsprogs:mke2fs"
PATH=$PATH:/usr/sbin:/sbin # not in every user's PATH

missing=
for pair in $NEEDED; do
  command -v "${pair#*:}" >/dev/null || missing="$missing ${pair%:*}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "These Debian packages are needed (elsewhere: what holds the same commands):$missing" >&2
  echo "Install them, or run this as root on Debian." >&2
  exit 1
fi

# Packages must not start their daemons: the lab starts its own. policy-rc.d is the one switch that both invoke-rc.d
# and deb-systemd-invoke obey; RUNLEVEL=1 stops only the former, SYSTEMD_OFFLINE=1 only systemd. Ours is there for the
# time of the installation, and denies nothing once this process is gone, so even a kill -9 leaves nothing harmful.
# One that is there already is the administrator's decision.
policy=/usr/sbin/policy-rc.d
mark='written by lbshield set-up'
if [ ! -e "$policy" ] || grep -qF "$mark" "$policy"; then
  trap 'rm -f "$policy"' EXIT
  trap 'exit 1' INT TERM HUP
  printf '#!/bin/sh\n# %s, may be removed\nkill -0 %s 2>/dev/null && exit 101\nexit 0\n' "$mark" "$$" >"$policy"
  chmod 755 "$policy"
fi

echo "Installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq >&2
# shellcheck disable=SC2086 # a list
apt-get install -y -qq --no-install-recommends $missing </dev/null >&2

# Nor may a daemon that came in through us start at the next boot.
for unit in haproxy openssh-server:ssh; do
  case " $missing " in
    *" ${unit%:*} "*) systemctl disable --quiet "${unit#*:}" 2>/dev/null || true ;; # no systemd: nothing to undo
  esac
done
