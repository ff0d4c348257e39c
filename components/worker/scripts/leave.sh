#!/bin/sh
# leave.sh           removes this node from its cluster: cordons it, evicts its pods, stops the kubelet and wipes its keys
# leave.sh at-once   the same without cordon and evictions; join.sh calls it for a node that has just joined
#
# The node drains itself with its own certificate, so that no admin credential is on the host. While a pod cannot be evicted, because of a
# PodDisruptionBudget for example, the node is not removed and goes on working.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# After an interrupted replacement, Pulumi deletes again what is already removed.
[ -e "$CONF/node.conf" ] || exit 0
# shellcheck source=/dev/null
. "$CONF/node.conf"
# shellcheck source=/dev/null
. "$CONF/host.conf"

PATH=$PATH:$BIN_DIR # ctr may be there

DRAIN_SECONDS=300

# evictable: "namespace name uid" of each pod to evict. Pods of a DaemonSet would come back at once, and mirror pods are files: both go with the node.
# A finished pod counts while it is being deleted: only its kubelet does that at once.
# The pods are listed before awk sees them, so that a failed request is not taken for an empty list.
evictable() {
  listed=$(as_node get pods --all-namespaces --field-selector "spec.nodeName=$NODE_NAME" -o \
    'jsonpath={range .items[*]}{.metadata.namespace}{" "}{.metadata.name}{" "}{.metadata.uid}{" "}{.status.phase}/{.metadata.deletionTimestamp}{" "}{.metadata.ownerReferences[0].kind}{"\n"}{end}') || return 1
  printf '%s\n' "$listed" | awk 'NF && $4 !~ /^(Succeeded|Failed)\/$/ && $5 != "DaemonSet" && $5 != "Node" { print $1, $2, $3 }'
}

evict() { # NAMESPACE NAME
  printf '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"namespace":"%s","name":"%s"}}' "$1" "$2" |
    as_node create --raw "/api/v1/namespaces/$1/pods/$2/eviction" -f - 2>&1 || true
}

cordon() {
  [ "$(node_field '{.spec.unschedulable}')" != true ] || return 0 # an administrator's cordon stays when the node comes back
  as_node patch node "$NODE_NAME" --type merge --patch '{"metadata":{"annotations":{"'"$DRAINED"'":"true"}},"spec":{"unschedulable":true}}' 2>&1
}

drain() {
  if ! answer=$(patiently cordon); then
    case "$answer" in
      *Unauthorized* | *"must be logged in"* | *NotFound*)
        say "$NODE_NAME is no longer part of the cluster, so there is nothing to drain: $answer"
        return 0 ;;
      *) fail "$NODE_NAME cannot be cordoned, so it was not changed: $(printf '%s\n' "$answer" | tail -n 1)" "make sure that it reaches the API server, then run 'pulumi up' again" ;;
    esac
  fi
  deadline=$(($(date +%s) + DRAIN_SECONDS))
  found=
  while :; do
    pods=$(patiently evictable 2>/dev/null) ||
      fail "the pods of $NODE_NAME cannot be listed: $(evictable 2>&1 | tail -n 1)" "make sure that it reaches the API server, then run 'pulumi up' again"
    # Pods that tolerate the cordon may come back at once. Like 'kubectl drain', this waits only for the pods of the first list.
    found=${found:-$pods}
    pods=$(printf '%s\n' "$pods" | grep -Fx "$found" | cut -d ' ' -f 1,2) || true
    [ -n "$pods" ] || return 0
    refusals=$(printf '%s\n' "$pods" | while read -r namespace name; do evict "$namespace" "$name"; done)
    if [ "$(date +%s)" -ge "$deadline" ]; then
      say "$refusals" # names the PodDisruptionBudget
      fail "$NODE_NAME still runs these pods after $DRAIN_SECONDS s of draining, and stays cordoned: $(printf '%s' "$pods" | tr ' \n' '/ ')" \
        "make room for them on other nodes or change their PodDisruptionBudget, then run 'pulumi up' again"
    fi
    sleep 0.5
  done
}

# stop_containers: those of DaemonSets were not evicted and would run on without a kubelet.
stop_containers() {
  command -v ctr >/dev/null || return 0
  for task in $(ctr --namespace k8s.io tasks list --quiet 2>/dev/null); do
    ctr --namespace k8s.io tasks kill --signal SIGKILL "$task" 2>/dev/null || true
  done
  for container in $(ctr --namespace k8s.io containers list --quiet 2>/dev/null); do
    ctr --namespace k8s.io tasks delete --force "$container" >/dev/null 2>&1 || true
    ctr --namespace k8s.io containers delete "$container" >/dev/null 2>&1 || true
  done
}

# report_gone: sets the Node to not Ready. Otherwise it stays Ready until its heartbeats are missed, and nobody may claim its name until then.
# A kubelet may write the status of its Node but not read that subresource, which 'kubectl patch --subresource' does.
report_gone() {
  node=$(as_node get node "$NODE_NAME" -o json) || {
    as_node get node "$NODE_NAME" 2>&1 # for the error
    return 1
  }
  printf '%s' "$node" |
    "$KUBECTL" patch --local -f - -o json --patch \
      '{"status":{"conditions":[{"type":"Ready","status":"False","reason":"KubeletStopped","message":"taken out of the cluster by tls-bootstrap"}]}}' |
    as_node replace --raw "/api/v1/nodes/$NODE_NAME/status" -f - >/dev/null
}

if [ -e "$CLIENT_CERTIFICATE" ] && [ "${1:-}" != at-once ]; then drain; fi
stop_unit kubelet
if [ -e "$CLIENT_CERTIFICATE" ]; then patiently report_gone >/dev/null 2>&1 || true; fi
stop_containers
wipe_kubelet config.yaml # kept for a node that joins again
