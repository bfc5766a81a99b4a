# A virtual machine's life, in the place of host.sh's. Sourced by vm.sh.
#
# The namespace $LAB-hI, which is host I itself in lab.sh, is a box around the machine here: the wires that network.sh laid
# into it are bridged to the machine's network cards, and QEMU runs in it, so that what ends the namespace ends QEMU.

host_runs() { [ -n "$(ip netns pids "$LAB-h$1" 2>/dev/null)" ]; }

cards_up() { # cards_up I: the addresses move into the machine, see vm-root/usr/local/sbin/lab-setup
  local h=$LAB-h$1 n
  ip netns exec "$h" sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.{all,default}.disable_ipv6=1 &&
    ip -n "$h" -4 address flush to "$LAB_NET.$1.0/24" || return
  for n in 0 1 2; do
    ip -n "$h" tuntap add "tap$n" mode tap && ip -n "$h" -batch - <<X || return
link add br$n type bridge mcast_snooping 0
link set eth$n master br$n
link set tap$n master br$n
link set tap$n up
link set br$n up
X
  done
}

host_up() { # host_up I: wait for it with host_wait
  local i=$1 d=$S/h$1 n cards=()
  host_runs "$i" && wires_there "$i" && return
  host_down "$i" # what a crash left
  mkdir -p "$d"
  keypair "$d/ssh_host_ed25519_key" "h$i"
  # A disk stays with the image that it was made from, whatever becomes of this clone.
  if [ ! -e "$d/disk" ]; then
    ln -sfn "$IMAGE" "$d/image"
    qemu-img create -q -f qcow2 -b "$IMAGE/root.raw" -F raw "$d/disk.new" && mv "$d/disk.new" "$d/disk" ||
      die "h$i: no disk"
  fi
  wires_up "$i"
  cards_up "$i" || die "h$i: no network cards"
  for n in 0 1 2; do
    # No boot ROM: none of them is to look for a system on the network.
    cards+=(-netdev "tap,id=net$n,ifname=tap$n,script=no,downscript=no" -device "virtio-net-pci,netdev=net$n,romfile=")
  done
  rm -f "$d/agent" "$d/monitor"
  # A reboot ends QEMU, and then it starts again: code that it has translated before makes it take ten seconds to unpack the
  # kernel over it. A signal is no reboot. The name is for kill_recorded. cache=writeback: what the guest flushes is on the
  # disk then, or a power cut would lose what it may not (cache=unsafe, which is quicker, ignores flushes).
  setsid ip netns exec "$LAB-h$i" bash -c 'while "$@"; do :; done' "$S" \
    qemu-system-x86_64 -name "$S" -pidfile "$d/pid" -no-reboot -machine q35 -accel tcg,thread=multi,tb-size=256 -cpu qemu64,-svm \
    -smp "${VM_SMP:-2}" -m "${VM_MEM:-256}" -nodefaults -no-user-config -display none -serial "file:$d/console" \
    -drive "file=$d/disk,if=none,id=disk,format=qcow2,cache=writeback" -device nvme,drive=disk,serial=lab "${cards[@]}" \
    -device virtio-rng-pci -device virtio-serial-pci -chardev "socket,id=agent,path=$d/agent,server=on,wait=off" \
    -device virtserialport,chardev=agent,name=org.qemu.guest_agent.0 -qmp "unix:$d/monitor,server=on,wait=off" \
    -fw_cfg "name=opt/lab/host_key,file=$d/ssh_host_ed25519_key" -fw_cfg "name=opt/lab/password,file=$S/password" \
    -fw_cfg "name=opt/lab/authorized_keys,file=$S/id_ed25519.pub" -kernel "$d/image/vmlinuz" \
    -append "root=/dev/nvme0n1 rootfstype=ext4 rw fsck.mode=skip console=ttyS0 quiet loglevel=3 mitigations=off nokaslr audit=0 \
random.trust_cpu=on net.ifnames=0 systemd.hostname=h$i systemd.machine_id=$(echo "$LAB $i" | md5sum | cut -c1-32) \
lab.host=$i lab.net=$LAB_NET ${VM_KARGS:-}" </dev/null >"$d/log" 2>&1 9<&- &
  wait_for 10 [ -S "$d/agent" ] || die "h$i: QEMU does not start: $(tail -n 5 "$d/log")"
}

host_wait() { # host_wait I: until all that starts at boot has started
  # Others may build theirs meanwhile.
  exec 9<&-
  (host_exec "$1" sh -c 'systemctl is-system-running --wait >/dev/null; test -s /run/sshd.pid') ||
    die "h$1 does not start: $(tail -n 5 "$S/h$1/console")"
}

host_exec() { # host_exec I CMD... in place of the calling shell; without standard input
  local i=$1
  shift
  host_runs "$i" || die "h$i does not run"
  exec python3 "$HERE/vm-ask.py" exec "$S/h$i/agent" \
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@"
}

host_monitor() { # host_monitor I COMMAND
  host_runs "$1" || die "h$1 does not run"
  python3 "$HERE/vm-ask.py" monitor "$S/h$1/monitor" "$2"
}

boot_id() { (host_exec "$1" cat /proc/sys/kernel/random/boot_id); }

rebooted() { # rebooted I BOOT_ID
  local now
  now=$(boot_id "$1" 2>/dev/null) && [ "$now" != "$2" ]
}

host_reboot() { # host_reboot I
  local before
  before=$(boot_id "$1") || die "h$1 does not answer"
  # A moment later, so that the agent is still there to say that it was done.
  (host_exec "$1" sh -c '(sleep 0.3 && systemctl reboot) >/dev/null 2>&1 &') || die "h$1 does not reboot"
  wait_for 180 rebooted "$1" "$before" || die "h$1 does not reboot: $(tail -n 5 "$S/h$1/console")"
  host_wait "$1"
}

changed_files() { # changed_files I: of what the provider may write, as there is no original to compare the rest with
  echo "## files"
  (host_exec "$1" bash -c "$(declare -f describe own_files) && own_files | describe | LC_ALL=C sort")
}
