#!/bin/sh
# host.sh apply   prepares this host for a kubelet, installs the Kubernetes binaries and the container runtime; told by host.conf, after preflight.sh
# host.sh remove  takes all of it away again
#
# Safe to repeat.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"
# shellcheck source=download.sh
. "$LIB/download.sh"

VERSIONS=/opt/kubernetes
LINK_FOLDERS=$STATE/link-folders # FOLDER [new]: where our links are, and whether it was made for them
SYSCTL=/etc/sysctl.d/90-tls-bootstrap.conf
MODULES=/etc/modules-load.d/tls-bootstrap.conf

# What an air-gapped host would download; sftp has put it into the home of whoever logs in.
archive=
[ -z "${AIR_GAP:-}" ] || archive=$(getent passwd "$AIR_GAP_USER" | cut -d : -f 6)/$AIR_GAP_FILE

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

unpack_archive() {
  [ -e "$archive" ] || return 0 # there is none, or an earlier run took from it what this host needs
  rm -rf "$AIR_GAP_DIR" # of a run that was killed
  mkdir -p "$AIR_GAP_DIR"
  discard_at_end "$AIR_GAP_DIR"
  say "unpacking the air-gap archive"
  damaged() { fail "the air-gap archive did not arrive as it was sent: $1" "send it once more: $AIR_GAP_COMMAND"; }
  answer=$(tar -xf "$archive" -C "$AIR_GAP_DIR" --no-same-owner 2>&1) || damaged "$answer"
  matches "$AIR_GAP_DIR/SHA256SUMS" "$AIR_GAP" || damaged "its list is another one"
  answer=$(cd "$AIR_GAP_DIR" && LC_ALL=C sha256sum --quiet --check SHA256SUMS 2>&1) || damaged "$answer"
}

# All of them are there and verified before the first of them is of any use.
install_binaries() {
  bin=$VERSIONS/v$KUBERNETES_VERSION/bin
  from=$DOWNLOAD_URL/v$KUBERNETES_VERSION/bin/linux/$(architecture)
  stage "$VERSIONS"
  for name in $BINARIES; do
    # The checksum is kept beside the binary, so that a repeated run needs no network.
    if [ -f "$bin/$name.sha256" ] && matches "$bin/$name" "$(cat "$bin/$name.sha256")"; then continue; fi
    expected=$(published "$from/$name.sha256" "$name")
    download_verified "$from/$name" "$STAGING/$name" "$expected"
    chmod 0755 "$STAGING/$name"
    sync "$STAGING/$name"
    mkdir -p "$bin"
    mv -fT "$STAGING/$name" "$bin/$name"
    printf '%s\n' "$expected" | install_file 0644 "$bin/$name.sha256"
  done
  grep -qs "^$BIN_DIR " "$LINK_FOLDERS" || printf '%s %s\n' "$BIN_DIR" "$([ -d "$BIN_DIR" ] || echo new)" >>"$LINK_FOLDERS"
  for name in $BINARIES; do link "$bin/$name" "$BIN_DIR/$name"; done
}

# leave_folders [KEPT]: takes our links out of all folders but KEPT, and the folders away that were made for them.
leave_folders() {
  [ -e "$LINK_FOLDERS" ] || return 0
  while read -r folder new; do
    [ "$folder" != "${1:-}" ] || continue
    for name in "$folder"/*; do
      case "$(readlink "$name" || true)" in "$VERSIONS"/*) rm -f "$name" ;; esac
    done
    [ -z "$new" ] || rmdir "$folder" 2>/dev/null || true
  done <"$LINK_FOLDERS"
  [ $# = 0 ] || grep "^$1 " "$LINK_FOLDERS" | install_file 0644 "$LINK_FOLDERS"
}

remove() {
  "$LIB/runtime.sh" remove
  leave_folders
  rm -rf "$VERSIONS" "$CONF" "$STATE" "$SYSCTL" "$MODULES"
  rmdir /etc/kubernetes/pki /etc/kubernetes 2>/dev/null || true
  rm -rf "$LIB" # last: these scripts
  rmdir "${LIB%/*}" 2>/dev/null || true
}

case "$1" in
  apply)
    started=$(now_ms)
    prepare
    unpack_archive
    install_binaries
    "$LIB/runtime.sh" apply
    leave_folders "$BIN_DIR"
    rm -f "$archive"
    request=
    [ "$SERVING_MODE" != issued ] || request=$("$LIB/serving.sh" request)
    printf '{"phase":"host","architecture":"%s","kernel":%s,"servingRequest":%s,"ms":%d}\n' \
      "$(architecture)" "$(json_string "$(uname -r)")" "$(json_string "$request")" $(($(now_ms) - started))
    ;;
  remove) remove ;;
esac
