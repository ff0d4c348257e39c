#!/bin/sh
# kube-proxy.sh apply < KUBECONFIG   installs kube-proxy's credential and restarts its unit
# kube-proxy.sh remove               stops kube-proxy, removes its rules from the kernel and deletes its credential
#
# kubelet.sh installs the unit and its config. Without the credential the unit does not start.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"

BINARY=$BIN_DIR/kube-proxy # a link that host.sh points at the version in use

apply() {
  clock
  started=$NOW_MS
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  previous=$(mktemp "$RUN/credential.XXXXXX") # 0600, on a tmpfs
  trap 'rm -f "$previous"' EXIT
  if [ -e "$KUBE_PROXY_KUBECONFIG" ]; then cat "$KUBE_PROXY_KUBECONFIG" >"$previous"; fi
  install_file 0600 "$KUBE_PROXY_KUBECONFIG"
  systemctl enable --quiet --no-reload kube-proxy
  # kube-proxy needs an address of the node, which the kubelet registers. On a node that has yet to join, join.sh starts it.
  if [ -e "$CLIENT_CERTIFICATE" ]; then
    systemctl restart kube-proxy
    healthy kube-proxy || undo
  fi
  printf '{"step":"kube-proxy","ms":%d}\n' "$(took "$started")"
}

undo() {
  unit_journal kube-proxy
  if [ -s "$previous" ]; then
    install_file 0600 "$KUBE_PROXY_KUBECONFIG" <"$previous"
    systemctl restart kube-proxy
    fail "with its new credential kube-proxy of $NODE_NAME writes no rules; the previous one was put back" "correct the cause in the lines above, then run 'pulumi up' again"
  fi
  stop_unit kube-proxy
  rm -f "$KUBE_PROXY_KUBECONFIG"
  fail "kube-proxy of $NODE_NAME writes no rules, so it was stopped" "correct the cause in the lines above, then run 'pulumi up' again"
}

remove() {
  stop_unit kube-proxy
  rm -f "$KUBE_PROXY_KUBECONFIG"
  KUBE_PROXY=off
  # shellcheck source=/dev/null
  [ ! -e "$CONF/node.conf" ] || . "$CONF/node.conf"
  # A kube-proxy that takes over as a pod needs the rules.
  if [ "$KUBE_PROXY" != daemonset ] && [ -x "$BINARY" ]; then
    output=$("$BINARY" --cleanup 2>&1) || say "kube-proxy could not remove all of its rules; a reboot removes them: $output"
  fi
  rm -f "$BINARY"
}

case "$1" in
  apply) apply ;;
  remove) remove ;;
esac
