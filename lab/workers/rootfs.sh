#!/bin/sh
# Usage: rootfs.sh FOLDER SUITE PACKAGE[,PACKAGE...]
# Makes the root file system that all workers share: Debian with PACKAGES and an administrator, without Kubernetes. Each worker adds its own
# host keys, machine-id, name and address.
set -eu
folder=$1
suite=$2
packages=$3

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
debootstrap --variant=minbase --include="$packages" "$suite" "$folder"

chroot "$folder" useradd --create-home --shell /bin/bash admin
install -d -m 0700 "$folder/home/admin/.ssh"
chroot "$folder" chown -R admin:admin /home/admin

# Container runtimes look for CNI plugins in /opt/cni/bin.
install -d "$folder/opt/cni/bin" "$folder/etc/cni/net.d"
for plugin in "$folder"/usr/lib/cni/*; do
  ln -s "/usr/lib/cni/${plugin##*/}" "$folder/opt/cni/bin/"
done

# A persistent journal. No consoles and no maintenance timers.
install -d "$folder/var/log/journal"
for unit in console-getty.service container-getty@.service getty.target e2scrub_all.timer e2scrub_reap.service \
  fstrim.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer systemd-pstore.service; do
  ln -sf /dev/null "$folder/etc/systemd/system/$unit"
done

rm -f "$folder"/etc/ssh/ssh_host_*
: >"$folder/etc/machine-id"
rm -f "$folder/var/lib/dbus/machine-id"
chroot "$folder" apt-get clean
rm -rf "$folder"/var/lib/apt/lists/* "$folder"/var/cache/* "$folder"/var/log/*.log
