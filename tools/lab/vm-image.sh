# What virtual machines start from: a Debian 12 on a disk image, made once and kept. Sourced by vm.sh.

CACHE=${LBSHIELD_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/lbshield}
PACKAGES="systemd-sysv udev linux-image-cloud-amd64 qemu-guest-agent openssh-server sudo nftables ipvsadm conntrack iproute2
  kmod procps util-linux"
# What a test host never uses, and an emulated one starts for seconds.
MASKED="apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer getty@tty1.service serial-getty@ttyS0.service getty-static.service systemd-pstore.service \
  systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-journal-flush.service \
  systemd-random-seed.service systemd-sysusers.service sys-kernel-debug.mount sys-kernel-tracing.mount \
  dev-hugepages.mount dev-mqueue.mount modprobe@.service remote-fs.target systemd-ask-password-wall.path \
  systemd-ask-password-console.path kmod-static-nodes.service"

# All that makes it is in its name, so that a change of any of it is another image.
IMAGE=$(cd "$HERE" && find vm-image.sh vm-root -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
IMAGE=$CACHE/vm-$(sha256sum <<<"$IMAGE" | cut -c1-16)

image() { # makes $IMAGE, with root.raw and vmlinuz in it, if it is not there
  local program
  for program in qemu-system-x86_64 qemu-img mmdebstrap mke2fs; do
    command -v "$program" >/dev/null || die "$program is missing: run tools/setup/debian-packages.sh"
  done
  mkdir -p "$CACHE" && exec 8>"$CACHE/vm.lock" && flock -w 600 8 || die "another image does not get ready"
  if [ -e "$IMAGE" ]; then
    touch "$IMAGE"
  else
    image_build
  fi
  exec 8>&-
}

image_build() {
  local work root t0=$SECONDS log=$CACHE/vm-image.log
  echo "lab: making the virtual machines' image: half a minute, log in $log" >&2
  # What a killed run left, and what nobody has used for a week.
  rm -rf --one-file-system "$CACHE"/vm-new.*
  find "$CACHE" -maxdepth 1 -name 'vm-*' -type d -mtime +7 -exec rm -rf {} +
  work=$(mktemp -d "$CACHE/vm-new.XXXXXX") || die "no room in $CACHE"
  chmod 755 "$work"
  root=$work/root
  # No initrd is needed: NVMe and ext4 are built into this kernel.
  # shellcheck disable=SC2016 # mmdebstrap's $1
  INITRD=No mmdebstrap --variant=minbase --include="$PACKAGES" --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash ops' \
    --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash guest' \
    bookworm "$root" </dev/null >"$log" 2>&1 || die "mmdebstrap fails: $(tail -n 5 "$log")"
  # This machine's own names and servers, and keys that all hosts would share.
  rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname"
  : >"$root/etc/resolv.conf"
  cp -R "$HERE/vm-root/." "$root" && chmod 440 "$root/etc/sudoers.d/ops" || die "no room in $CACHE"
  chroot "$root" sh -c "systemctl mask $MASKED && systemctl enable lab-setup" >>"$log" 2>&1 ||
    die "systemctl fails: $(tail -n 5 "$log")"
  cp "$root"/boot/vmlinuz-* "$work/vmlinuz" &&
    mke2fs -q -t ext4 -E assume_storage_prezeroed=1 -d "$root" "$work/root.raw" 2G >>"$log" 2>&1 || die "mke2fs fails: $(tail -n 5 "$log")"
  rm -rf --one-file-system "$root"
  mv -T "$work" "$IMAGE"
  echo "lab: image made in $((SECONDS - t0)) s" >&2
}
