#!/bin/bash
# Pid 1 of a lab host: host-init.sh STATE I IPV4_PREFIX IPV6_PREFIX, in new network, mount, pid and uts namespaces.
set -eu
state=$1 i=$2 N=$3 V=$4
disk=$state/h$i/disk

# The last file that first_boot writes. A first boot that was cut short is worth nothing: it may have left locks.
ready=$disk/etc/upper/ssh/authorized_keys
[ -e "$ready" ] || rm -rf "$disk"

# The machine's programs and configuration, copy on write. Copying up whole files (metacopy=off) is the kernel's default.
for tree in etc opt srv usr var; do
  [ -d "/$tree" ] || continue
  mkdir -p "$disk/$tree/upper" "$disk/$tree/work"
  mount -t overlay "$tree" -o "lowerdir=/$tree,upperdir=$disk/$tree/upper,workdir=$disk/$tree/work" "/$tree"
done
# Homes start empty: a developer's .bashrc must not decide how a test ends, nor may the keys in it be on a host.
for tree in home root; do
  mkdir -p "$disk/$tree"
  mount --bind "$disk/$tree" "/$tree"
done
chmod 700 /root

first_boot() {
  echo "h$i" >/etc/hostname
  printf '127.0.0.1 localhost\n127.0.1.1 h%s\n' "$i" >/etc/hosts
  rm -f /etc/ssh/ssh_host_*
  cp "$state/h$i"/ssh_host_ed25519_key{,.pub} /etc/ssh/
  # Without PAM sshd refuses a locked account ("!"), keys or not, and on many machines root is one. "*" is not locked.
  local user
  for user in ops guest; do
    id -u "$user" >/dev/null 2>&1 || useradd --shell /bin/bash --home-dir "/home/$user" "$user"
    install -d -o "$user" -g "$user" "/home/$user"
  done
  printf '%s:*\n' root guest | chpasswd --encrypted
  echo "ops:$(cat "$state/password")" | chpasswd --crypt-method SHA512
  echo 'ops ALL=(ALL:ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops
  chmod 440 /etc/sudoers.d/ops
  cat >/etc/ssh/sshd_config <<X
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
Match User ops
  PasswordAuthentication yes
X
  # No health check and a number for a server: it starts whether there is a backend or not.
  cat >/etc/haproxy/haproxy.cfg <<X
global
  maxconn 8000
defaults
  mode tcp
  backlog 8192
  timeout connect 5s
  timeout client 1d
  timeout server 1d
listen web
  bind $N.100:80,$N.101:80,$N.102:80
  bind $N.100:443,$N.101:443,$N.102:443
  bind $N.100:8080,$N.101:8080,$N.102:8080
  bind [$V:100]:80,[$V:101]:80,[$V:102]:80
  bind [$V:100]:443,[$V:101]:443,[$V:102]:443
  bind [$V:100]:8080,[$V:101]:8080,[$V:102]:8080
  server backend $N.130:80
X
  cp "$state/id_ed25519.pub" /etc/ssh/authorized_keys.new
  chmod 644 /etc/ssh/authorized_keys.new
  mv /etc/ssh/authorized_keys.new /etc/ssh/authorized_keys
}
[ -e "$ready" ] || first_boot

# Copies of /run/netns would keep other labs' namespaces alive after their end.
umount --recursive --lazy /run/netns 2>/dev/null || true
mount -t proc proc /proc
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t tmpfs -o mode=755 run /run # hides the lab's own state directory, too
mkdir -p /run/sshd /run/lock
hostname "h$i"
cd /

# As systemd would: what dies comes back. bash also reaps what others leave to pid 1.
supervise() {
  while :; do
    "$@" || true
    sleep 0.2
  done
}
supervise haproxy -db -f /etc/haproxy/haproxy.cfg &
supervise /usr/sbin/sshd -D -e
