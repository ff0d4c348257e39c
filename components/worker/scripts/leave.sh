#!/bin/sh
# leave.sh   takes this node out of its cluster: cordon, evict its pods, stop the kubelet, wipe its keys
#
# Draining uses the node's own certificate, which may cordon this node and evict its pods, and nothing else. It is a gate: pods
# that cannot be evicted (a PodDisruptionBudget, say) stop the removal while the node still works.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# A replacement that was cut off removes once more what is removed already, in the next update: Pulumi knows only that it has yet to be made anew.
[ -e "$CONF/node.conf" ] || exit 0
# shellcheck source=/dev/null
. "$CONF/node.conf"
# shellcheck source=/dev/null
. "$CONF/host.conf"

PATH=$PATH:$BIN_DIR # ctr may be there

DRAIN_SECONDS=300

# evictable: "namespace name" of each pod to move. DaemonSet pods would come straight back and mirror pods are files: both go with the node.
# Listed before it is sifted: a listing that failed must not look like an empty one.
evictable() {
  listed=$(as_node get pods --all-namespaces --field-selector "spec.nodeName=$NODE_NAME,status.phase!=Succeeded,status.phase!=Failed" -o \
    'jsonpath={range .items[*]}{.metadata.namespace}{" "}{.metadata.name}{" "}{.metadata.ownerReferences[0].kind}{"\n"}{end}') || return 1
  printf '%s\n' "$listed" | awk 'NF && $3 != "DaemonSet" && $3 != "Node" { print $1, $2 }'
}

evict() { # NAMESPACE NAME
  printf '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"namespace":"%s","name":"%s"}}' "$1" "$2" |
    as_node create --raw "/api/v1/namespaces/$1/pods/$2/eviction" -f - 2>&1 || true
}

cordon() {
  [ "$(node_field '{.spec.unschedulable}')" != true ] || return 0 # an administrator's: it stays when the node comes back
  as_node patch node "$NODE_NAME" --type merge --patch '{"metadata":{"annotations":{"'"$DRAINED"'":"true"}},"spec":{"unschedulable":true}}' 2>&1
}

drain() {
  if ! answer=$(cordon); then
    case "$answer" in
      *Unauthorized* | *"must be logged in"* | *NotFound*)
        say "$NODE_NAME is no longer part of the cluster, so there is nothing to drain: $answer"
        return 0 ;;
      *) fail "$NODE_NAME cannot be cordoned: $answer" "check that the API server is reachable from it; the node is unchanged" ;;
    esac
  fi
  deadline=$(($(date +%s) + DRAIN_SECONDS))
  while :; do
    pods=$(evictable) || fail "the pods of $NODE_NAME cannot be listed" "check that the API server is reachable from it"
    [ -n "$pods" ] || return 0
    refusals=$(printf '%s\n' "$pods" | while read -r namespace name; do evict "$namespace" "$name"; done)
    if [ "$(date +%s)" -ge "$deadline" ]; then
      say "$refusals" # of the last round: which budget stands in the way
      fail "$NODE_NAME still runs these pods after $DRAIN_SECONDS s of draining: $(printf '%s' "$pods" | tr ' \n' '/ ')" \
        "make room for them elsewhere or adjust their PodDisruptionBudget, then run the update again; the node is cordoned and still runs them"
    fi
    sleep 0.5
  done
}

# The containers that were not drained (DaemonSets') would run on without a kubelet.
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

# The keys first, whatever becomes of the rest; then all of the kubelet's state. Its config stays for a node that joins anew.
wipe() {
  rm -rf "$KUBELET_KUBECONFIG" "$BOOTSTRAP_KUBECONFIG" "$KUBELET_DIR/pki"
  empty_kubelet_dir config.yaml
}

# The cluster would take the node for Ready until its heartbeats are missed, send it pods, and let nobody claim its name.
# A node may write its status but not read that subresource, so 'kubectl patch --subresource' is not for it.
report_gone() {
  as_node get node "$NODE_NAME" -o json |
    "$KUBECTL" patch --local -f - -o json --patch \
      '{"status":{"conditions":[{"type":"Ready","status":"False","reason":"KubeletStopped","message":"taken out of the cluster by tls-bootstrap"}]}}' |
    as_node replace --raw "/api/v1/nodes/$NODE_NAME/status" -f - >/dev/null
}

if [ -e "$CLIENT_CERTIFICATE" ]; then drain; fi
stop_unit kubelet
if [ -e "$CLIENT_CERTIFICATE" ]; then report_gone 2>/dev/null || true; fi
stop_containers
wipe
