#!/bin/sh
# host.sh prepare                     installs Python for Ansible from /opt/bench/packages, and counts the bytes of SSH
# host.sh reset CANDIDATE VERSION     makes this worker as it was before a join, with the binaries where CANDIDATE expects them
# host.sh zero                        counts the bytes of SSH from here on
# host.sh facts SINCE                 prints bytes and logins of SSH, and when the kubelet was started, got its certificate and registered its
#                                     node; times in seconds since 1970, those after SINCE
#
# The bench runs it on a worker of a lab, as root and without SSH. /opt/bench has the binaries.
set -eu

BENCH=/opt/bench

prepare() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends "$BENCH"/packages/*.deb >/dev/null
  # Rules without a target only count.
  iptables --insert INPUT --protocol tcp --dport 22
  iptables --insert OUTPUT --protocol tcp --sport 22
}

reset() { # CANDIDATE VERSION
  systemctl disable --quiet --now kubelet 2>/dev/null || true
  systemctl reset-failed kubelet 2>/dev/null || true
  findmnt --raw --noheadings --output TARGET | grep '^/var/lib/kubelet/' | xargs --no-run-if-empty umount
  rm -rf /etc/kubernetes /etc/systemd/system/kubelet.service /etc/systemd/system/kubelet.service.d /opt/kubernetes /usr/local/bin/kube*
  rm -rf --one-file-system /var/lib/kubelet
  # Hard links share the page cache, so that no candidate reads the binaries from disk.
  if [ "$1" = module ]; then
    bin=/opt/kubernetes/v$2/bin
    mkdir -p "$bin"
    for name in kubelet kubectl; do
      ln "$BENCH/$name" "$bin/$name"
      cp "$BENCH/$name.sha256" "$bin/"
    done
  else
    for name in kubelet kubectl kubeadm; do ln "$BENCH/$name" "/usr/local/bin/$name"; done
  fi
  # The Debian package of kubeadm brings the kubelet's unit.
  [ "$1" != kubeadm ] || cp "$BENCH/kubeadm.service" /etc/systemd/system/kubelet.service
  systemctl daemon-reload
}

zero() { iptables --zero; }

bytes() { iptables --list "$1" --numeric --verbose --exact | awk '/tcp [ds]pt:22 *$/ { print $2; exit }'; }

# moments UNIT PATTERN SINCE: when the journal of UNIT has a line with PATTERN, as "1.5,2.5"
moments() { journalctl --unit "$1" --output short-unix --no-pager --since "@$3" | awk -v pattern="$2" '$0 ~ pattern { print $1 }' | paste -sd ,; }

facts() { # SINCE
  certificate=/var/lib/kubelet/pki/kubelet-client-current.pem
  printf '{"sshBytes":%d,"logins":[%s],"started":[%s],"certified":[%s],"registered":[%s]}\n' \
    $(($(bytes INPUT) + $(bytes OUTPUT))) "$(moments ssh ': Accepted ' "$1")" "$(moments kubelet ': Started kubelet.service' "$1")" \
    "$(stat -c %.6Y "$certificate" 2>/dev/null || true)" "$(moments kubelet 'Successfully registered node' "$1")"
}

"$@"
