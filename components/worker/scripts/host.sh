#!/bin/sh
# host.sh apply   checks this host, prepares it for a kubelet and installs the Kubernetes binaries; told by host.conf
# host.sh remove  takes all of it away again
#
# Safe to repeat. Nothing is changed before every check has passed.
set -eu
# shellcheck source=common.sh
. /usr/local/lib/tls-bootstrap/common.sh

BINARIES="kubelet kubectl"
VERSIONS=/opt/kubernetes
SYSCTL=/etc/sysctl.d/90-tls-bootstrap.conf
MODULES=/etc/modules-load.d/tls-bootstrap.conf

problems=
problem() { problems="$problems
  - $1"; }

architecture() {
  case "$(uname -m)" in
    x86_64) echo amd64 ;;
    aarch64) echo arm64 ;;
    *) echo unsupported ;;
  esac
}

# free_mib PATH: free space of the file system that holds PATH or its nearest parent.
free_mib() {
  path=$1
  while [ ! -d "$path" ]; do path=$(dirname "$path"); done
  df -Pm "$path" | awk 'NR == 2 { print $4 }'
}

preflight() {
  [ "$(architecture)" != unsupported ] || problem "architecture $(uname -m): only x86_64 and aarch64 are supported"
  for tool in flock ip sha256sum sysctl mount; do
    command -v "$tool" >/dev/null || problem "'$tool' is missing: install it"
  done
  command -v curl >/dev/null || command -v wget >/dev/null || problem "neither curl nor wget is installed: one is needed for downloads"
  ip -o address show | grep -qF " $NODE_ADDRESS/" || problem "address $NODE_ADDRESS is on no interface of this host: set the worker's nodeAddress"
  [ -S "$RUNTIME_SOCKET" ] || problem "no container runtime listens on $RUNTIME_SOCKET: install and start containerd"
  [ "$(free_mib "$VERSIONS")" -ge 512 ] || problem "less than 512 MiB free for $VERSIONS"
  [ "$(free_mib "$KUBELET_DIR")" -ge 512 ] || problem "less than 512 MiB free for $KUBELET_DIR"
  if [ ! -e "$CONF/node.conf" ]; then
    # Not ours yet: whatever is here belongs to somebody else.
    for theirs in "$KUBELET_KUBECONFIG" "$CLIENT_CERTIFICATE" /etc/systemd/system/kubelet.service; do
      [ ! -e "$theirs" ] || problem "$theirs exists: this host is, or was, a node of another installation; clean it first (kubeadm reset)"
    done
    [ -z "$(ss -Hltn 'sport = :10250' 2>/dev/null)" ] || problem "port 10250, the kubelet's, is in use"
  fi
  [ -z "$problems" ] || fail "this host cannot become a worker yet:$problems" "mend these and run the update again; nothing was changed on the host"
}

prepare() {
  if [ "$SWAP" = off ] && [ -n "$(tail -n +2 /proc/swaps)" ]; then
    say "turning swap off, now and after a reboot"
    swapoff -a
    sed 's/^\([^#].*[[:space:]]swap[[:space:]].*\)$/# tls-bootstrap: \1/' /etc/fstab | install_file 0644 /etc/fstab
  fi
  install_file 0644 "$MODULES" <<'END'
# The container runtime's layers, and iptables for bridged pod traffic.
overlay
br_netfilter
END
  install_file 0644 "$SYSCTL" <<'END'
# Kubernetes routes pod traffic, and iptables must see what crosses a bridge.
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
END
  for module in overlay br_netfilter; do
    # Built into some kernels, and not loadable from within a container: what counts is the check below.
    modprobe -q "$module" 2>/dev/null || true
  done
  sysctl -q -p "$SYSCTL" || true
  [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || fail "net.ipv4.ip_forward cannot be turned on" "see 'sysctl -p $SYSCTL' on this host"

  mkdir -p /etc/kubernetes/pki "$KUBELET_DIR" /var/log/pods "$STATE"
  chmod 0700 "$STATE" "$KUBELET_DIR"

  # systemd-resolved's stub on 127.0.0.53 is out of reach from a pod: pods get the servers behind it.
  resolv=/etc/resolv.conf
  [ ! -e /run/systemd/resolve/resolv.conf ] || resolv=/run/systemd/resolve/resolv.conf
  link "$resolv" "$CONF/resolv.conf"
}

download() { # URL FILE
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --connect-timeout 10 --retry 3 --retry-connrefused --speed-limit 1024 --speed-time 30 --output "$2" "$1"
  else
    wget --quiet --tries=3 --timeout=30 --output-document="$2" "$1"
  fi
}

matches() { # FILE SHA256
  [ -f "$1" ] && [ "$(sha256sum "$1" | cut -d ' ' -f 1)" = "$2" ]
}

install_binaries() {
  bin=$VERSIONS/v$KUBERNETES_VERSION/bin
  from=$DOWNLOAD_URL/v$KUBERNETES_VERSION/bin/linux/$(architecture)
  mkdir -p "$bin"
  for name in $BINARIES; do
    # The checksum is kept beside the binary, so that a repeated run needs no network.
    if [ ! -f "$bin/$name.sha256" ] || ! matches "$bin/$name" "$(cat "$bin/$name.sha256")"; then
      say "downloading $from/$name"
      rm -f "$bin/$name.new" "$bin/$name.sha256.new"
      download "$from/$name.sha256" "$bin/$name.sha256.new" || fail "cannot download $from/$name.sha256" "check downloadUrl and that this host reaches it"
      expected=$(cut -d ' ' -f 1 "$bin/$name.sha256.new")
      download "$from/$name" "$bin/$name.new" || fail "cannot download $from/$name" "check downloadUrl and that this host reaches it"
      if ! matches "$bin/$name.new" "$expected"; then
        actual=$(sha256sum "$bin/$name.new" | cut -d ' ' -f 1)
        rm -f "$bin/$name.new" "$bin/$name.sha256.new"
        fail "$from/$name has SHA-256 $actual, published is $expected; it was not installed" "check the mirror behind downloadUrl"
      fi
      chmod 0755 "$bin/$name.new"
      sync "$bin/$name.new"
      mv -fT "$bin/$name.new" "$bin/$name"
      printf '%s\n' "$expected" | install_file 0644 "$bin/$name.sha256"
      rm -f "$bin/$name.sha256.new"
    fi
    link "$bin/$name" "/usr/local/bin/$name"
  done
}

remove() {
  for name in $BINARIES; do
    case "$(readlink "/usr/local/bin/$name" || true)" in "$VERSIONS"/*) rm -f "/usr/local/bin/$name" ;; esac
  done
  rm -rf "$VERSIONS" "$CONF" "$STATE" "$SYSCTL" "$MODULES"
  rmdir /etc/kubernetes/pki /etc/kubernetes 2>/dev/null || true
  rm -rf "$LIB" # last: these scripts
}

case "$1" in
  apply)
    started=$(now_ms)
    # shellcheck source=/dev/null
    . "$CONF/host.conf"
    preflight
    prepare
    install_binaries
    printf '{"phase":"host","architecture":"%s","kernel":%s,"ms":%d}\n' "$(architecture)" "$(json_string "$(uname -r)")" $(($(now_ms) - started))
    ;;
  remove) remove ;;
esac
