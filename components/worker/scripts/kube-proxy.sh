#!/bin/sh
# kube-proxy.sh apply < KUBECONFIG   installs kube-proxy's credential and runs its unit with it
# kube-proxy.sh remove               stops kube-proxy, takes its rules out of the kernel and wipes its credential
#
# Unit and config came with the kubelet's files (kubelet.sh). Without the credential the unit does not start.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"

BINARY=$BIN_DIR/kube-proxy # host.sh keeps it pointing at the version in use

apply() {
  started=$(now_ms)
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  previous=$(mktemp "$RUN/credential.XXXXXX") # 0600, on a tmpfs
  trap 'rm -f "$previous"' EXIT
  if [ -e "$KUBE_PROXY_KUBECONFIG" ]; then cat "$KUBE_PROXY_KUBECONFIG" >"$previous"; fi
  install_file 0600 "$KUBE_PROXY_KUBECONFIG"
  systemctl enable --quiet kube-proxy
  # Before the kubelet has registered the node it has no address for kube-proxy to find: the join starts it.
  if [ -e "$CLIENT_CERTIFICATE" ]; then
    systemctl restart kube-proxy
    healthy kube-proxy || undo
  fi
  printf '{"phase":"kube-proxy","ms":%d}\n' $(($(now_ms) - started))
}

undo() {
  unit_journal kube-proxy
  if [ -s "$previous" ]; then
    install_file 0600 "$KUBE_PROXY_KUBECONFIG" <"$previous"
    systemctl restart kube-proxy
    fail "with its new credential kube-proxy of $NODE_NAME writes no rules; the previous one was put back" "correct the cause and run the update again"
  fi
  stop_unit kube-proxy
  rm -f "$KUBE_PROXY_KUBECONFIG"
  fail "kube-proxy of $NODE_NAME writes no rules; it was stopped again" "correct the cause and run the update again"
}

remove() {
  stop_unit kube-proxy
  rm -f "$KUBE_PROXY_KUBECONFIG"
  KUBE_PROXY=off
  # shellcheck source=/dev/null
  [ ! -e "$CONF/node.conf" ] || . "$CONF/node.conf"
  # Where pods take over, they take over the rules too.
  if [ "$KUBE_PROXY" != daemonset ] && [ -x "$BINARY" ]; then
    output=$("$BINARY" --cleanup 2>&1) || say "kube-proxy could not take all of its rules away; they end with the next reboot: $output"
  fi
  rm -f "$BINARY"
}

case "$1" in
  apply) apply ;;
  remove) remove ;;
esac
