#!/bin/bash
# vm.sh - the lab with virtual machines: Debian 12, systemd and its own kernel. They reboot, load modules, lose power.
#
#   vm.sh up [N] [--quiet]        start N hosts (1); running ones are kept, dead ones start again with their disks
#   vm.sh down                    stop and remove everything but the image
#   vm.sh status                  what runs
#   vm.sh ssh [USER@]I [CMD...]   over the network, as root, ops (has sudo) or guest (has not)
#   vm.sh exec I CMD...           inside host I without the network; CMD has no standard input
#   vm.sh reboot I                reboot and wait until it is back
#   vm.sh reset I                 cut the power, start again and wait: what was not synced may be lost
#   vm.sh stop I, vm.sh cont I    hold the machine, let it go on
#   vm.sh client|backend CMD...   in the namespace of the clients, of the web server
#   vm.sh syns DEST PORT COUNT    SYNs with random source addresses from the clients' side, COUNT up to 200,000
#   vm.sh fingerprint I           everything on host I that the provider may touch, as text to diff
#   vm.sh image                   make the disk image, if it is not there; up does it too
#
# The network is that of lab.sh. The hosts forward; there is no HAProxy on them. Where no kernel module and no reboot is
# needed, lab.sh does the same in a twentieth of the time.
# Environment: LAB (lbv; a name of at most 5 letters and digits), LAB_NET (10.98), LAB_STATE (/run/lbshield-lab/$LAB),
# LBSHIELD_CACHE (~/.cache/lbshield), VM_SMP (2), VM_MEM (256, MiB), VM_KARGS (more for the kernel's command line).
# Exit status: the command's own; 125 when it was the lab that failed.
set -u -o pipefail
LAB=${LAB:-lbv}
LAB_NET=${LAB_NET:-10.98}
PATH=$PATH:/usr/sbin:/sbin

# All of lab.sh but its hosts. It wants a command, and this one changes nothing.
# shellcheck source-path=SCRIPTDIR
{
  . "$(dirname "$(readlink -f "$0")")/lab.sh" status >/dev/null
  . "$HERE/vm-host.sh"
  . "$HERE/vm-image.sh"
}

vm_up() {
  local t0=${EPOCHREALTIME/./}
  image
  up 1 "$@" --quiet
  [[ " $* " == *" --quiet "* ]] || printf 'up in %d ms\n' $(((${EPOCHREALTIME/./} - t0) / 1000))
}

status() {
  local i
  [ -n "$(hosts)" ] || echo "no lab $LAB"
  for i in $(hosts); do
    if host_runs "$i"; then echo "h$i runs: ssh -F $S/ssh_config h$i"; else echo "h$i stopped"; fi
  done
}

cmd=${1:-}
shift
case $cmd in
  exec) least=2 ;;
  ssh | reboot | reset | stop | cont | client | backend | fingerprint) least=1 ;;
  *) least=0 ;;
esac
[ $# -ge $least ] || usage

case $cmd in
  up) vm_up "$@" ;;
  down | status | image | syns | fingerprint) "$cmd" "$@" ;;
  reboot) host_reboot "$1" ;;
  reset) restart "$1" ;;
  stop | cont) host_monitor "$1" "$cmd" ;;
  ssh | exec | client | backend) enter "$cmd" "$@" ;;
  *) usage ;;
esac
