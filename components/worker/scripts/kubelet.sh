#!/bin/sh
# kubelet.sh apply < BUNDLE   installs the files of the bundle and restarts the units whose files have changed; the one step that disrupts a node
# kubelet.sh remove           stops the kubelet and removes the installed files
#
# A bundle is shell: `file MODE PATH [UNIT] <<'END'` for each file, and `# end of bundle` as the last line. When a restarted unit does not become
# healthy, the previous files are put back. So a bad setting costs a failed update and not a node. The pods of a node move away before its kubelet
# gets another minor version, or its runtime other releases.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh
# The node as it is. What both files have, host.conf has as it shall be.
# shellcheck source=/dev/null
[ ! -e "$CONF/node.conf" ] || . "$CONF/node.conf"
# shellcheck source=/dev/null
. "$CONF/host.conf"
# shellcheck source=drain.sh
. "$LIB/drain.sh"

PATH=$PATH:$BIN_DIR # ctr may be there

STAGED=$STATE/staged     # the bundle's files, as a tree
PREVIOUS=$STATE/previous # the files that they replace, as a tree
CHANGING=$STATE/changing # PATH UNIT of each replaced file, until its unit works with it
MANIFEST=$STATE/manifest # MODE PATH UNIT of each installed file

file() { # MODE PATH [UNIT] < CONTENT
  [ -d "$STAGED${2%/*}" ] || mkdir -p "$STAGED${2%/*}"
  cat >"$STAGED$2"
  printf '%s %s %s\n' "$1" "$2" "${3:--}" >>"$STAGED.manifest"
}

stage() {
  bundle=$(mktemp "$RUN/bundle.XXXXXX")
  trap 'rm -rf "$bundle" "$STAGED" "$STAGED.manifest" "$STAGED.changed"' EXIT
  cat >"$bundle"
  [ "$(tail -n 1 "$bundle")" = "# end of bundle" ] || fail "some of the kubelet's files did not arrive; nothing was changed" "run 'pulumi up' again"
  rm -rf "$STAGED" "$STAGED.manifest" "$STAGED.changed"
  umask 077
  # shellcheck source=/dev/null
  . "$bundle"
  umask 022
}

# differs PATH MODE: the installed file is not the one in the bundle.
differs() { [ ! -e "$1" ] || ! cmp -s "$STAGED$1" "$1" || [ "$(stat -c '0%a' "$1")" != "$2" ]; }

restart() { # UNIT...
  reload_changed "$@"
  for unit in "$@"; do
    if [ "$unit" = kubelet ] && joined; then verb=restart; else verb=try-restart; fi
    systemctl "$verb" "$unit" 2>/dev/null || true # a unit that does not even start does not become healthy
  done
}

# json_list "A B ": "A","B"
json_list() { printf '%s' "${1% }" | sed 's/[^ ][^ ]*/"&"/g; s/ /,/g'; }

# keep PATH UNIT: saves the file at PATH before it is replaced. An entry in CHANGING outlives a killed run, so that the next run restarts UNIT and
# still has the file that UNIT last worked with. The caller syncs CHANGING.
keep() {
  [ ! -e "$CHANGING" ] || ! grep -qF "$1 " "$CHANGING" || return 0
  save_previous "$1"
  printf '%s %s\n' "$1" "$2" >>"$CHANGING"
}

# differ VARIABLE: node.conf has another value of VARIABLE than the bundle.
differ() {
  value() { sed -n "s/^$1=//p" "$2$CONF/node.conf" 2>/dev/null || true; }
  was=$(value "$1" "$PREVIOUS")
  [ -n "$was" ] || was=$(value "$1" '')
  [ -n "$was" ] && [ "$was" != "$(value "$1" "$STAGED")" ]
}

# discard PATH: deletes a file that is no longer needed, and its folder when that is empty. A unit is stopped first.
discard() {
  case "$1" in
    */kube-proxy.service) "$LIB/kube-proxy.sh" remove ;;
    *.service) stop_unit "${1##*/}" ;;
  esac
  rm -f "$1"
  rmdir "${1%/*}" 2>/dev/null || true
}

install_files() {
  while read -r mode path unit; do
    differs "$path" "$mode" || continue
    keep "$path" "$unit"
    printf '%s %s\n' "$mode" "$path" >>"$STAGED.changed"
  done <"$STAGED.manifest"
  [ -e "$STAGED.changed" ] || return 0
  sync "$CHANGING"
  install_tree "$STAGED" "$STAGED.changed"
}

# --- the server of kubelet.conf, which the kubelet has written when it joined ---

with_new_server() { sed "s|^\( *server: \).*|\1$API_SERVER|" "$KUBELET_KUBECONFIG"; }
server_differs() { joined && [ -e "$KUBELET_KUBECONFIG" ] && ! with_new_server | cmp -s - "$KUBELET_KUBECONFIG"; }

ca_differs() { joined && [ -e "$CA" ] && ! cmp -s "$STAGED$CA" "$CA"; }

# check_endpoint: a server that the node cannot read, or a CA that has not signed its certificate, changes nothing. With the restarts of an undone
# change, the kubelet would report nothing for longer than the grace period after which the pods of a node count as lost.
check_endpoint() {
  server_differs || ca_differs || return 0
  answer=$(patiently read_node "$STAGED$CA") || case "$answer" in
    *NotFound*) ;;
    *) fail "$NODE_NAME was not changed: at $API_SERVER it gets the answer: $(printf '%s\n' "$answer" | tail -n 1)" \
      "correct cluster.server and cluster.ca, or make that server accept this node, then run 'pulumi up' again" ;;
  esac
}

follow_server() {
  server_differs || return 0
  keep "$KUBELET_KUBECONFIG" kubelet
  sync "$CHANGING"
  with_new_server | install_file 0600 "$KUBELET_KUBECONFIG"
}

# restart_units UNIT...: only a node that has joined can be judged, and a unit that ran before.
restart_units() {
  since=$(now_rfc3339)
  for unit in "$@"; do
    if [ "$judge" = yes ] && joined && { [ "$unit" = kubelet ] || [ "$(systemctl is-active "$unit")" = active ]; }; then restarted="$restarted$unit "; fi
  done
  restart "$@"
  for unit in $restarted; do
    healthy "$unit" "$since" || undo "$unit" "$@"
  done
}

# --- disruption ---

# previous_version: of the kubelet that a killed run has begun to replace, or that runs.
previous_version() {
  version=$(kubelet_version "$PREVIOUS")
  if [ -n "$version" ]; then echo "$version"; else kubelet_version ''; fi
}

runtime_releases() { sed -n 1p "$RUNTIME_IN_USE" 2>/dev/null || true; }
runtime_differs() { [ "$(cat "$RUNTIME_IN_USE" 2>/dev/null)" != "$RUNTIME_RELEASES
$RUNTIME_SETTINGS" ] || [ -n "$(changed_since runtime registries)" ]; }

# why_drain: what the pods of this node must not live through; nothing when they can run on.
why_drain() {
  from=$(previous_version) to=$(kubelet_version "$STAGED") runtime=$(runtime_releases)
  [ "$(minor "$from")" = "$(minor "$to")" ] || echo "Kubernetes $from -> $to"
  [ "$runtime" = "$RUNTIME_RELEASES" ] || echo "container runtime $runtime -> $RUNTIME_RELEASES"
}

move_pods() {
  reason=$(why_drain)
  [ -n "$reason" ] || return 0
  say "draining $NODE_NAME: $reason"
  if ! drain; then
    (uncordon) || true
    fail "$NODE_NAME goes on as it was: $not_drained" "$drain_hint"
  fi
}

# update_runtime: the kubelet restarts with a runtime of other releases. Another type of runtime cannot take over the containers of this one.
update_runtime() {
  runtime_differs || return 0
  was=$(runtime_releases)
  if joined && [ "$was" != "$RUNTIME_RELEASES" ]; then
    keep "$RUNTIME_IN_USE" kubelet
    sync "$CHANGING"
  fi
  outcome="goes on with its old container runtime"
  if [ "${was%% *}" != "${RUNTIME_RELEASES%% *}" ]; then
    outcome="has no container runtime now"
    seconds=$(grace)
    systemctl stop kubelet
    stop_containers "$seconds"
    "$LIB/runtime.sh" remove
  fi
  "$LIB/runtime.sh" apply || {
    [ "$outcome" = "has no container runtime now" ] || (uncordon) || true
    fail "$NODE_NAME $outcome" "correct the cause in the lines above, then run 'pulumi up' again"
  }
}

# soak: a unit that works only for a moment has not worked.
soak() { # UNIT...
  clock
  deadline=$((NOW + PAUSE_SECONDS))
  while [ -n "$restarted" ] && ! over "$deadline"; do
    sleep 1
    for unit in $restarted; do
      if [ "$(systemctl is-active "$unit")" != active ] || ! ready_since 0; then undo "$unit" "$@"; fi
    done
  done
}

undo() { # UNHEALTHY-UNIT UNIT...
  unhealthy=$1
  shift
  say "tls-bootstrap: with the new files $unhealthy of $NODE_NAME does not become healthy; the previous ones are put back"
  say "  changed: $names"
  unit_journal "$unhealthy"
  advice="correct the settings of $unhealthy"
  answer=$(as_node get node "$NODE_NAME" 2>&1) || {
    say "  the API server answers $NODE_NAME: $(printf '%s\n' "$answer" | tail -n 1)"
    advice="make sure that $NODE_NAME reaches the API server"
  }
  # shellcheck disable=SC2086 # a list of paths without blanks
  restore_previous $names
  since=$(now_rfc3339)
  restart "$@"
  rm -f "$CHANGING"
  if healthy "$unhealthy" "$since"; then (uncordon) || true; fi
  fail "the update of $NODE_NAME was undone" "$advice, then run 'pulumi up' again"
}

apply() {
  clock
  started=$NOW_MS
  stage
  [ -e "$CHANGING" ] || rm -rf "$PREVIOUS"
  # A certificate is for one name. preflight.sh has made sure that both workers are of one stack.
  if joined && differ NODE_NAME; then "$LIB/leave.sh" rejoin; fi
  # With a raised generation step join wipes the identity, which may be that of a cluster that no longer exists, so the kubelet's health with it
  # says nothing.
  judge=yes
  ! joined || ! differ GENERATION || judge=no
  if joined && [ "$judge" = yes ]; then
    fault=$(identity_fault)
    [ -z "$fault" ] || fail "$NODE_NAME was not changed: $fault" "raise this worker's 'generation' to wipe its identity and join again"
    check_endpoint
    move_pods
  fi
  update_runtime
  install_files
  follow_server
  names='' units='' restarted='' drained=unknown
  if [ -e "$CHANGING" ]; then
    while read -r path unit; do
      names="$names$path "
      case " $units- " in *" $unit "*) ;; *) units="$units$unit " ;; esac
    done <"$CHANGING"
  fi
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  # shellcheck disable=SC2086 # a list of unit names
  if [ -n "$units" ]; then
    restart_units $units
    soak $units
  fi
  rm -f "$CHANGING"
  # Files of an earlier bundle.
  if [ -e "$MANIFEST" ]; then
    while read -r _ path _; do
      grep -qF " $path " "$STAGED.manifest" || discard "$path"
    done <"$MANIFEST"
  fi
  install_file 0600 "$MANIFEST" <"$STAGED.manifest"
  cut -d ' ' -f 2 "$MANIFEST" | record kubelet
  if joined && [ "$judge" = yes ] && [ -n "$drained" ]; then uncordon; fi
  [ "$SERVING_MODE" = issued ] || "$LIB/serving.sh" remove # the kubelet's config no longer names its files
  if joined && [ "$judge" = yes ]; then report; fi
  printf '{"step":"kubelet","changed":[%s],"restarted":[%s],"ms":%d}\n' \
    "$(json_list "$names")" "$(json_list "$restarted")" "$(took "$started")"
}

remove() {
  stop_unit kubelet
  if [ -e "$MANIFEST" ]; then
    while read -r _ path _; do discard "$path"; done <"$MANIFEST"
  fi
  wipe_kubelet ''
  rm -f "$STATE/generation"
  rmdir "$KUBELET_DIR" 2>/dev/null || true # it may be a mount point
  # The kubelet makes this folder for volume plugins.
  rmdir -p --ignore-fail-on-non-empty /usr/libexec/kubernetes/kubelet-plugins/volume/exec 2>/dev/null || true
  rm -rf "$MANIFEST" "$PREVIOUS" "$CHANGING" "$RECORDS/kubelet"
  systemctl daemon-reload
}

case "$1" in
  apply) apply ;;
  remove) remove ;;
esac
