#!/bin/sh
# Turns this Debian host into one whose package manager is dnf. Its repository has Debian's packages of a container runtime under the names
# of Fedora, and another package that needs one of them.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq install -y --no-install-recommends dnf rpm createrepo-c >/dev/null 2>&1

repository=/srv/rpms
mkdir -p "$repository"
cd "$(mktemp -d)"

# package NAME VERSION DEB [NEEDED]: makes an RPM of DEB. Without DEB the RPM is empty.
package() {
  rm -rf tree
  install -D /dev/null "tree/usr/share/$1/empty"
  if [ -n "$3" ]; then
    [ -e "$3.deb" ] || { apt-get -qq download "$3" && mv "$3"_*.deb "$3.deb"; }
    dpkg-deb --extract "$3.deb" tree
  fi
  (cd tree && find . ! -type d | sed 's/^.\(.*\)$/"\1"/') >files
  cat >spec <<END
Name: $1
Version: $2
Release: 1
Summary: $1
License: any
AutoReqProv: no
${4:+Requires: $4}
%define __os_install_post %{nil}
%define _build_id_links none
%description
%install
mkdir -p %{buildroot}
cp -a $PWD/tree/. %{buildroot}
%files -f $PWD/files
END
  rpmbuild -bb --quiet --define "_rpmdir $repository" --define "_binary_payload w1.gzdio" spec
}

package runc 1.1 runc
package containerd 1.6.20 containerd runc
package containerd 1.6.21 containerd runc
package containernetworking-plugins 1.1 containernetworking-plugins
package iptables-nft 1.8 iptables
package podman 4.3 '' containernetworking-plugins
createrepo_c --quiet "$repository"
mkdir -p /etc/yum.repos.d
printf '[rpms]\nname=RPMs\nbaseurl=file://%s\ngpgcheck=0\n' "$repository" >/etc/yum.repos.d/rpms.repo

mv /usr/bin/apt-get /usr/bin/apt-get.away
