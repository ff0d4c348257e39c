#!/bin/sh
# Usage: bareRootfs.sh LOWERDIR FOLDER PACKAGES MORE-PACKAGES
# Makes a machine without PACKAGES out of a worker's root file system. In FOLDER: `root`, the layer that goes over the others; `var`, its
# whole /var; `packages`, what was taken away and MORE-PACKAGES, with what these need, as a repository for apt. Both are lists in one word.
set -eu
lower=$1
folder=$2
packages=$3
more=$4

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
merged=$folder/merged
mkdir "$folder/root" "$folder/work" "$merged" "$folder/packages"
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/root,workdir=$folder/work" overlay "$merged"

# With the machine's own settings, sources and keys, but this machine's network.
printf 'RootDir "%s";\nAPT::Sandbox::User "root";\n' "$merged" >"$folder/apt.conf"
apt() { APT_CONFIG=$folder/apt.conf apt-get -q "$@"; }
apt update
# shellcheck disable=SC2086 # lists
apt install -y --download-only --no-install-recommends --reinstall $packages $more
mv "$merged"/var/cache/apt/archives/*.deb "$folder/packages"
cd "$folder/packages"
for package in *.deb; do
  # Without the version in it: some characters of versions stand for others in URLs.
  mv "$package" "${package%%_*}.deb"
  package=${package%%_*}.deb
  dpkg-deb --field "$package"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d ' ' -f 1)"
done >Packages
cd /

# shellcheck disable=SC2086
chroot "$merged" dpkg --purge $packages
rm -rf "$merged/opt/cni" "$merged/etc/containerd" "$merged/var/lib/containerd"
# Images are imported when containerd comes, whoever brings it.
rm "$merged/etc/systemd/system/multi-user.target.wants/lab-images.service"
mkdir "$merged/etc/systemd/system/containerd.service.wants"
ln -s ../lab-images.service "$merged/etc/systemd/system/containerd.service.wants/"
mkdir "$merged/etc/systemd/system/lab-images.service.d"
printf '[Service]\nEnvironment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/bin\n' >"$merged/etc/systemd/system/lab-images.service.d/path.conf"

rm -rf "$merged"/var/lib/apt/lists/* "$merged"/var/cache/* "$merged"/var/log/*.log
cp -a "$merged/var" "$folder/var"
umount "$merged"
rm -rf "$merged" "$folder/work" "$folder/apt.conf"
