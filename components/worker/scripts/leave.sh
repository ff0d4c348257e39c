#!/bin/sh
# leave.sh < OWNER    takes this node out of its cluster and removes what was installed here; nothing when the host belongs to another worker
# leave.sh rejoin     takes the node out and wipes its identity; its files stay, because this host joins again
# leave.sh at-once    the same without evictions, for a node that has just joined
# leave.sh power-off SECONDS    moves the pods away within that time and says that the node is gone; nothing when this machine does not power off
#
# OWNER is the URN of the worker's resource. A resource that was renamed or moved, and whose host a new one has taken over, must not end the node.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"
host_owner=$OWNER
# shellcheck source=drain.sh
. "$LIB/drain.sh"

PATH=$PATH:$BIN_DIR # ctr may be there

# no_drain HOW: why this node cannot be drained for good; nothing when it can. An API server that rejects the certificate may do so for a moment,
# so that counts only when the identity is to be wiped anyway.
no_drain() {
  [ -z "$fault" ] || { echo "$fault"; return 0; }
  ! answer=$(patiently read_node "$CA") || return 0
  case "$1 $answer" in
    *NotFound*) echo "it has no Node any more" ;;
    rejoin*Unauthorized* | rejoin*"must be logged in"*) echo "$API_SERVER does not accept its certificate" ;;
    *) fail "$NODE_NAME cannot read its Node, so it was not changed: $(printf '%s\n' "$answer" | tail -n 1)" \
      "make sure that $API_SERVER accepts this node, then run 'pulumi up' again; if it never will, set 'lost: true' for this worker" ;;
  esac
}

# evict_all HOW: drains the node if that is possible at all.
evict_all() {
  reason=$(no_drain "$1")
  if [ -n "$reason" ]; then
    say "$NODE_NAME is not drained: $reason. Its pods end with it, whatever their PodDisruptionBudgets say"
    return 0
  fi
  ! drain || return 0
  [ "$1" = rejoin ] || fail "$NODE_NAME is not removed$cordoned: $not_drained" \
    "$drain_hint; to change a setting, restore the worker's line first"
  (uncordon) || true
  fail "$NODE_NAME goes on as it was: $not_drained" "$drain_hint"
}

# report_gone: sets the Node to not Ready. Otherwise it stays Ready until its heartbeats are missed, and nobody may claim its name until then.
# A kubelet may write the status of its Node but not read that subresource, which 'kubectl patch --subresource' does.
report_gone() {
  node=$(as_node get node "$NODE_NAME" -o json 2>&1) || { echo "$node"; return 1; }
  printf '%s' "$node" |
    "$KUBECTL" patch --local -f - -o json --patch \
      '{"status":{"conditions":[{"type":"Ready","status":"False","reason":"KubeletStopped","message":"taken out of the cluster by tls-bootstrap"}]}}' |
    as_node replace --raw "/api/v1/nodes/$NODE_NAME/status" -f - >/dev/null
}

take_out() { # HOW
  seconds=0 fault="it has no identity"
  ! joined || fault=$(identity_fault)
  if joined && [ "$1" != at-once ]; then evict_all "$1"; fi
  [ -n "$fault" ] || seconds=$(grace)
  "$LIB/report.sh" remove
  stop_unit kubelet
  [ -n "$fault" ] || patiently report_gone >/dev/null 2>&1 || true
  stop_containers "$seconds"
  wipe_kubelet config.yaml # kept for a node that joins again
}

# remove_traces: what pods have left outside the kubelet's folder: their logs, and the network plugin's settings, which may hold a credential.
remove_traces() {
  delete_folders /var/log/pods /var/log/containers
  [ -e "$STATE/cni-files" ] || return 0
  for file in /etc/cni/net.d/*; do
    grep -qxF "$file" "$STATE/cni-files" || rm -rf "$file"
  done
}

# powers_off: systemd is about to power this machine off. A machine that reboots comes back soon.
powers_off() { systemctl list-jobs --no-legend 2>/dev/null | grep -qE ' (poweroff|halt)\.target '; }

# power_off SECONDS: what cannot be moved in time ends with the machine. The identity stays, because the machine may be started again.
power_off() {
  if ! joined || ! powers_off; then return 0; fi
  DRAIN_SECONDS=$1 BARE_PODS='delete' EMPTY_DIR_DATA='delete'
  [ "$1" -ge "$PATIENCE_SECONDS" ] || PATIENCE_SECONDS=$1
  say "draining $NODE_NAME, which is powered off"
  drain || say "tls-bootstrap: $NODE_NAME is powered off although $not_drained"
  # systemd stops the kubelet after this. A stopped process does not report the node as Ready again.
  systemctl kill --signal=STOP kubelet
  report_gone >/dev/null || true
}

remove_node() {
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  if [ "$OWNER" != "$leaver" ]; then
    say "the node on this host belongs to $OWNER now, so it was not changed"
    return 0
  fi
  take_out removal
  "$LIB/kubelet.sh" remove
  remove_traces
}

remove_host() {
  if [ "$host_owner" != "$leaver" ]; then
    say "this host belongs to $host_owner now, so what is installed stays"
    return 0
  fi
  "$LIB/serving.sh" remove
  "$LIB/host.sh" remove
}

case "${1:-}" in
  rejoin | at-once)
    # shellcheck source=/dev/null
    . "$CONF/node.conf"
    take_out "$1"
    ;;
  power-off)
    # shellcheck source=/dev/null
    . "$CONF/node.conf"
    power_off "$2"
    ;;
  *)
    read -r leaver || true
    # After an interrupted removal, Pulumi removes again what is already removed.
    [ ! -e "$CONF/node.conf" ] || remove_node
    remove_host
    ;;
esac
