#!/bin/sh
# Usage: bareRootfs.sh LOWERDIR FOLDER PACKAGES MORE-PACKAGES
# Makes the root file system of a bare worker: removes PACKAGES from the overlay layers LOWERDIR. Writes to FOLDER:
#   root/      the overlay layer that removes the packages
#   var/       the whole /var
#   packages/  an apt repository with PACKAGES, MORE-PACKAGES and their dependencies
# PACKAGES and MORE-PACKAGES are lists, separated by spaces.
set -eu
lower=$1
folder=$2
packages=$3
more=$4

export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
merged=$folder/merged
mkdir "$folder/root" "$folder/work" "$merged" "$folder/packages"
mount -t overlay -o "lowerdir=$lower,upperdir=$folder/root,workdir=$folder/work" overlay "$merged"

# apt uses the settings, sources and keys of the root file system, and this machine's network.
printf 'RootDir "%s";\nAPT::Sandbox::User "root";\n' "$merged" >"$folder/apt.conf"
apt() { APT_CONFIG=$folder/apt.conf apt-get -q "$@"; }
apt update
# shellcheck disable=SC2086 # lists
apt install -y --download-only --no-install-recommends --reinstall $packages $more
mv "$merged"/var/cache/apt/archives/*.deb "$folder/packages"
cd "$folder/packages"
for package in *.deb; do
  # File names without versions, because versions have characters with a meaning in URLs.
  mv "$package" "${package%%_*}.deb"
  package=${package%%_*}.deb
  dpkg-deb --field "$package"
  printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$package" "$(stat -c %s "$package")" "$(sha256sum "$package" | cut -d ' ' -f 1)"
done >Packages
cd /

# shellcheck disable=SC2086
chroot "$merged" dpkg --purge $packages
rm -rf "$merged/opt/cni" "$merged/etc/containerd" "$merged/var/lib/containerd"
# lab-images.service starts with containerd, because containerd is installed later, as a package or as a release.
rm "$merged/etc/systemd/system/multi-user.target.wants/lab-images.service"
mkdir "$merged/etc/systemd/system/containerd.service.wants"
ln -s ../lab-images.service "$merged/etc/systemd/system/containerd.service.wants/"
mkdir "$merged/etc/systemd/system/lab-images.service.d"
printf '[Service]\nEnvironment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/opt/bin\n' >"$merged/etc/systemd/system/lab-images.service.d/path.conf"

rm -rf "$merged"/var/lib/apt/lists/* "$merged"/var/cache/* "$merged"/var/log/*.log
cp -a "$merged/var" "$folder/var"
umount "$merged"
rm -rf "$merged" "$folder/work" "$folder/apt.conf"
