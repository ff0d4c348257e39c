#!/bin/sh
# host.sh apply RUN   prepares this host for a kubelet: kernel settings, the Kubernetes binaries, the container runtime; a node runs on as it is
# host.sh remove      undoes that
#
# preflight.sh has passed before. Both can be run again at any time.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"
# shellcheck source=download.sh
. "$LIB/download.sh"

LINK_FOLDERS=$STATE/link-folders # FOLDER [new]: folders with links of ours; new ones were made for the links
SWAP_UNITS=$STATE/swap-units # the units that we have turned off
SWAP_SERVICES='zramswap.service zram-config.service armbian-zram-config.service nvzramconfig.service dphys-swapfile.service systemd-swap.service'
SYSCTL=/etc/sysctl.d/90-tls-bootstrap.conf
MODULES=/etc/modules-load.d/tls-bootstrap.conf

# The air-gap archive. sftp has put it into the home of the SSH user.
archive=
[ -z "${AIR_GAP:-}" ] || archive=$(getent passwd "$AIR_GAP_USER" | cut -d : -f 6)/$AIR_GAP_FILE

# keep_swap_off: turns swap off, now and after a reboot. swap.target starts what fstab and unit files name and what systemd's generators find
# (zram, partitions). Some services turn swap on by themselves.
keep_swap_off() {
  if [ "$(systemctl is-enabled swap.target 2>/dev/null)" != masked ]; then
    echo swap.target >>"$SWAP_UNITS"
    systemctl mask --quiet --no-reload swap.target # for the next boot
  fi
  # shellcheck disable=SC2086 # a list
  systemctl list-unit-files --no-legend --state=enabled $SWAP_SERVICES | while read -r unit _; do
    echo "$unit" >>"$SWAP_UNITS"
    systemctl disable --quiet --now "$unit"
  done
  { read -r _ && read -r _; } </proc/swaps || return 0
  say "turning swap off, now and after a reboot"
  swapoff -a
}

# restore_swap: from the next boot on.
restore_swap() {
  [ -e "$SWAP_UNITS" ] || return 0
  while read -r unit; do
    if [ "$unit" = swap.target ]; then systemctl unmask --quiet "$unit"; else systemctl enable --quiet "$unit"; fi
  done <"$SWAP_UNITS"
  rm -f "$SWAP_UNITS"
}

prepare() {
  mkdir -p "$STATE"
  if [ "$SWAP" = off ]; then keep_swap_off; else restore_swap; fi
  install_file 0644 "$MODULES" <<'END'
# Layers of container images, and iptables for bridged pod traffic.
overlay
br_netfilter
END
  install_file 0644 "$SYSCTL" <<'END'
# Kubernetes routes pod traffic, and iptables must see what crosses a bridge.
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
END
  # Loading fails where a module is built into the kernel, and in containers. preflight.sh has checked that both are in effect or can be loaded.
  for module in overlay br_netfilter; do
    [ -e "/sys/module/$module" ] || modprobe -q "$module" 2>/dev/null || true
  done
  sysctl -q -p "$SYSCTL" || true
  [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] || fail "net.ipv4.ip_forward cannot be turned on" "run 'sysctl -p $SYSCTL' on this host to see the cause"

  # The network plugin's files, which go with the node, are those that come later.
  if ! joined && [ ! -e "$STATE/cni-files" ]; then find /etc/cni/net.d -mindepth 1 -maxdepth 1 2>/dev/null | install_file 0644 "$STATE/cni-files"; fi

  mkdir -p /etc/kubernetes/pki "$KUBELET_DIR" /var/log/pods
  chmod 0700 "$KUBELET_DIR" "$STATE"

  # Pods cannot reach the stub resolver of systemd-resolved on 127.0.0.53, so they get the servers behind it.
  resolv=/etc/resolv.conf
  [ ! -e /run/systemd/resolve/resolv.conf ] || resolv=/run/systemd/resolve/resolv.conf
  link "$resolv" "$CONF/resolv.conf"
}

unpack_archive() {
  [ -e "$archive" ] || return 0 # no air gap, or an earlier run has installed what was in it
  rm -rf "$AIR_GAP_DIR" # a killed run leaves it behind
  mkdir -p "$AIR_GAP_DIR"
  discard_at_end "$AIR_GAP_DIR"
  say "unpacking the air-gap archive"
  damaged() { fail "the air-gap archive did not arrive as it was sent: $1" "send it again: $AIR_GAP_COMMAND"; }
  answer=$(tar -xf "$archive" -C "$AIR_GAP_DIR" --no-same-owner 2>&1) || damaged "$answer"
  matches "$AIR_GAP_DIR/SHA256SUMS" "$AIR_GAP" || damaged "its SHA256SUMS is not the file that Pulumi has read"
  answer=$(cd "$AIR_GAP_DIR" && LC_ALL=C sha256sum --quiet --check SHA256SUMS 2>&1) || damaged "$answer"
}

install_binaries() {
  fetch_binaries
  # Links follow when all binaries are there.
  grep -qs "^$BIN_DIR " "$LINK_FOLDERS" || printf '%s %s\n' "$BIN_DIR" "$([ -d "$BIN_DIR" ] || echo new)" >>"$LINK_FOLDERS"
  for name in $BINARIES; do link "$bin/$name" "$BIN_DIR/$name"; done
}

# remove_links [KEPT]: removes our links from all folders except KEPT, and the empty folders that were made for them.
remove_links() {
  [ -e "$LINK_FOLDERS" ] || return 0
  left=
  while read -r folder new; do
    [ "$folder" != "${1:-}" ] || continue
    left=yes
    for name in "$folder"/*; do
      case "$(readlink "$name" || true)" in "$VERSIONS"/*) rm -f "$name" ;; esac
    done
    [ -z "$new" ] || rmdir "$folder" 2>/dev/null || true
  done <"$LINK_FOLDERS"
  [ $# = 0 ] || [ -z "$left" ] || grep "^$1 " "$LINK_FOLDERS" | install_file 0644 "$LINK_FOLDERS"
}

apply() { # create | update
  clock
  started=$NOW_MS
  prepare
  unpack_archive
  install_binaries
  # A node gets its runtime in step kubelet, after its pods have moved.
  if joined; then "$LIB/runtime.sh" fetch; else "$LIB/runtime.sh" apply; fi
  remove_links "$BIN_DIR" # those in an earlier binDir
  [ -z "$archive" ] || rm -f "$archive"
  find "$LIB" "$CONF/host.conf" "$CONF/runtime" "$SYSCTL" "$MODULES" -type f 2>/dev/null | record host
  request=
  [ "$SERVING_MODE" != issued ] || request=$("$LIB/serving.sh" request "$1")
  printf '{"step":"host","architecture":"%s","kernel":%s,"servingRequest":%s,"ms":%d}\n' \
    "$ARCHITECTURE" "$(json_string "$(uname -r)")" "$(json_string "$request")" "$(took "$started")"
}

remove() {
  "$LIB/runtime.sh" remove
  remove_links
  for name in kubelet kubectl kube-proxy; do rm -f "$VERSIONS"/v*/bin/"$name" "$VERSIONS"/v*/bin/"$name".sha256; done
  rmdir "$VERSIONS"/v*/bin "$VERSIONS"/v* "$VERSIONS" 2>/dev/null || true
  restore_swap
  rm -rf "$CONF" "$STATE" "$SYSCTL" "$MODULES"
  rmdir /etc/kubernetes/pki /etc/kubernetes 2>/dev/null || true
  rm -rf "$LIB" # last, since these scripts are in it
  rmdir "${LIB%/*}" 2>/dev/null || true
}

case "$1" in
  apply) apply "$2" ;;
  remove) remove ;;
esac
