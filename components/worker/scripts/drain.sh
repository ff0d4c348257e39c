# shellcheck shell=sh
# shellcheck disable=SC2034 # the scripts that include this read the variables
# Evicts the pods of this node, with the node's own certificate, so that no admin credential is on the host. Other scripts include this after
# common.sh, node.conf and host.conf.

cordon() {
  [ "$(node_field '{.spec.unschedulable}')" != true ] || return 0
  patch_node '{"metadata":{"annotations":{"'"$CORDON_MARK"'":"true"}},"spec":{"unschedulable":true}}' 2>&1
}

lift_cordon() {
  drained=$(as_node get node "$NODE_NAME" -o "jsonpath={.metadata.annotations.$CORDON_MARK}" 2>&1) || { echo "$drained"; return 1; }
  [ -z "$drained" ] || patch_node '{"metadata":{"annotations":{"'"$CORDON_MARK"'":null}},"spec":{"unschedulable":null}}' 2>&1
}

# uncordon: lifts our cordon.
uncordon() { answer=$(patiently lift_cordon) || fail "the cordon of $NODE_NAME cannot be lifted: $answer" "kubectl uncordon $NODE_NAME"; }

# evictable: "NAMESPACE|NAME|UID|CONTROLLER|DATA|DELETED|PHASE" of each pod to evict. Pods of a DaemonSet would come back at once, and mirror
# pods are files: both stay. A finished pod counts while it is being deleted: only its kubelet does that at once. The pods are listed before
# awk sees them, so that a failed request is not taken for an empty list.
evictable() {
  listed=$(as_node get pods --all-namespaces --field-selector "spec.nodeName=$NODE_NAME" -o \
    'jsonpath={range .items[*]}{.metadata.namespace}|{.metadata.name}|{.metadata.uid}|{.metadata.ownerReferences[?(@.controller==true)].kind}|{.spec.volumes[*].emptyDir}|{.metadata.deletionTimestamp}|{.status.phase}{"\n"}{end}' 2>&1) || { echo "$listed"; return 1; }
  printf '%s\n' "$listed" | awk -F '|' 'NF == 7 && $4 != "DaemonSet" && $4 != "Node" && !($7 ~ /^(Succeeded|Failed)$/ && !$6)'
}

# precious PODS: those that an eviction would destroy, each with the reason, unless the settings allow it.
precious() {
  printf '%s\n' "$1" | awk -F '|' -v bare="$BARE_PODS" -v data="$EMPTY_DIR_DATA" '
    !NF || $6 { next }
    bare == "refuse" && !$4 { print "    " $1 "/" $2 ": no controller would start it again (drain.barePods)"; next }
    data == "refuse" && $5 { print "    " $1 "/" $2 ": the data of its emptyDir volumes would be lost (drain.emptyDirData)" }'
}

evict() { # NAMESPACE NAME
  printf '{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"namespace":"%s","name":"%s"}}' "$1" "$2" |
    as_node create --raw "/api/v1/namespaces/$1/pods/$2/eviction" -f - 2>&1 || true
}

# drain: cordons the node and evicts its pods. PodDisruptionBudgets hold. When it fails, $not_drained and $drain_hint say why and what to do, and
# $cordoned whether the cordon is there.
drain() {
  cordoned=
  drain_hint="make sure that it reaches the API server, then run 'pulumi up' again"
  clock
  deadline=$((NOW + DRAIN_SECONDS))
  pods=$(patiently evictable) || { not_drained="its pods cannot be listed: $(printf '%s\n' "$pods" | tail -n 1)"; return 1; }
  lost=$(precious "$pods")
  if [ -n "$lost" ]; then
    not_drained="an eviction would destroy these pods:
$lost"
    drain_hint="delete or move them, or set these settings to 'delete', then run 'pulumi up' again"
    return 1
  fi
  answer=$(patiently cordon) || { not_drained="it cannot be cordoned: $(printf '%s\n' "$answer" | tail -n 1)"; return 1; }
  cordoned=", and stays cordoned"
  # Pods that tolerate the cordon may come back at once. Like 'kubectl drain', this waits only for the pods of the first list.
  found=$(printf '%s\n' "$pods" | cut -d '|' -f 1-3)
  while :; do
    pods=$(printf '%s\n' "$pods" | cut -d '|' -f 1-3 | grep -Fx "$found" | cut -d '|' -f 1,2 | grep .) || true
    [ -n "$pods" ] || break
    refusals=$(printf '%s\n' "$pods" | while IFS='|' read -r namespace name; do evict "$namespace" "$name"; done)
    if over "$deadline"; then
      say "$refusals" # names the PodDisruptionBudget
      not_drained="it still runs these pods after $DRAIN_SECONDS s of draining: $(printf '%s' "$pods" | tr '|\n' '/ ')"
      drain_hint="make room for them on other nodes or change their PodDisruptionBudget, then run 'pulumi up' again"
      return 1
    fi
    sleep 0.5
    pods=$(patiently evictable) || { not_drained="its pods cannot be listed: $(printf '%s\n' "$pods" | tail -n 1)"; return 1; }
  done
  await_detached
}

# await_detached: the controllers detach the volumes of evicted pods while the kubelet runs. Later they would wait for minutes, to be sure.
await_detached() {
  until attached=$(node_field '{.status.volumesAttached[*].name}') && [ -z "$attached" ]; do
    if over "$deadline"; then
      say "$NODE_NAME is drained, but these volumes are still attached to it: $attached"
      return 0
    fi
    sleep 0.5
  done
}

# stop_containers SECONDS: stops what the kubelet has left running, such as pods of DaemonSets. They get SECONDS to end by themselves.
stop_containers() {
  command -v ctr >/dev/null || return 0
  running() { ctr --namespace k8s.io tasks list 2>/dev/null | awk '$3 == "RUNNING" { print $1 }'; }
  end_all() { for task in $(running); do ctr --namespace k8s.io tasks kill --signal "$1" "$task" 2>/dev/null || true; done; }
  clock
  deadline=$((NOW + $1))
  [ "$1" = 0 ] || end_all SIGTERM
  until over "$deadline" || [ -z "$(running)" ]; do sleep 0.2; done
  end_all SIGKILL
  for container in $(ctr --namespace k8s.io containers list --quiet 2>/dev/null); do
    ctr --namespace k8s.io tasks delete --force "$container" >/dev/null 2>&1 || true
    ctr --namespace k8s.io containers delete "$container" >/dev/null 2>&1 || true
  done
}

# grace: the longest time in seconds, up to 30, that a pod of this node gets to end.
grace() {
  as_node get pods --all-namespaces --field-selector "spec.nodeName=$NODE_NAME" -o 'jsonpath={range .items[*]}{.spec.terminationGracePeriodSeconds}{"\n"}{end}' 2>/dev/null |
    awk '$1 > longest { longest = $1 } END { print (longest > 30 ? 30 : longest + 0) }'
}
