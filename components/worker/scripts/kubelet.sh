#!/bin/sh
# kubelet.sh apply < BUNDLE   installs the files of the bundle and restarts the units whose files changed
# kubelet.sh remove           stops the kubelet and removes the files that were installed
#
# A bundle is shell: one `file MODE PATH [UNIT] <<'END'` for each file, the last line `# end of bundle`. When a restarted kubelet
# does not become healthy the previous files come back, so a bad setting costs a failed update and not a node.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh

STAGED=$STATE/staged     # the bundle's files, as a tree
PREVIOUS=$STATE/previous # what they replaced
CHANGING=$STATE/changing # PATH UNIT of each file that was replaced, for as long as its unit has not restarted with it
MANIFEST=$STATE/manifest # MODE PATH UNIT of each installed file

file() { # MODE PATH [UNIT] < CONTENT
  (umask 077 && mkdir -p "$STAGED${2%/*}" && cat >"$STAGED$2")
  printf '%s %s %s\n' "$1" "$2" "${3:--}" >>"$STAGED.manifest"
}

stage() {
  bundle=$(mktemp "$RUN/bundle.XXXXXX")
  trap 'rm -rf "$bundle" "$STAGED" "$STAGED.manifest"' EXIT
  cat >"$bundle"
  [ "$(tail -n 1 "$bundle")" = "# end of bundle" ] || fail "the files did not arrive whole" "run the update again"
  rm -rf "$STAGED" "$STAGED.manifest"
  # shellcheck source=/dev/null
  . "$bundle"
}

# changed PATH MODE: the installed file is not what the bundle says.
changed() { ! cmp -s "$STAGED$1" "$1" || [ "$(stat -c '0%a' "$1")" != "$2" ]; }

restart() { # UNIT...
  systemctl daemon-reload
  for unit in "$@"; do systemctl try-restart "$unit"; done
}

# list "A B ": "A","B"
list() { printf '%s' "${1% }" | sed 's/[^ ][^ ]*/"&"/g; s/ /,/g'; }

# keep PATH UNIT: what stands there is remembered before it is replaced, until the unit has restarted. A run that is killed in between
# leaves that to the next one, which still has the files that the unit last worked with.
keep() {
  ! grep -qsF "$1 " "$CHANGING" || return 0
  if [ -e "$1" ]; then
    (umask 077 && mkdir -p "$PREVIOUS${1%/*}" && cp -p "$1" "$PREVIOUS$1")
    sync "$PREVIOUS$1"
  fi
  printf '%s %s\n' "$1" "$2" >>"$CHANGING"
  sync "$CHANGING"
}

# put_back PATH...: what stood at these places before.
put_back() {
  for path in "$@"; do
    if [ -e "$PREVIOUS$path" ]; then
      mode=$(stat -c '0%a' "$PREVIOUS$path")
      install_file "$mode" "$path" <"$PREVIOUS$path"
    else
      rm -f "$path"
    fi
  done
}

# leaves: this update makes the node leave and join anew, so that its present identity is no measure: it may be that of a cluster that is gone.
leaves() {
  generation() { sed -n "s/^GENERATION=//p" "$1$CONF/node.conf" 2>/dev/null || true; }
  was=$(generation "$PREVIOUS")
  [ -n "$was" ] || was=$(generation '')
  [ -n "$was" ] && [ "$was" != "$(generation "$STAGED")" ]
}

# discard PATH: a file that is no longer wanted; a unit is stopped first.
discard() {
  case "$1" in /etc/systemd/system/*.service) stop_unit "${1##*/}" ;; esac
  rm -f "$1"
  rmdir "${1%/*}" 2>/dev/null || true # the folder, when it is empty
}

apply() {
  started=$(now_ms)
  stage
  [ -e "$CHANGING" ] || rm -rf "$PREVIOUS"
  judge=yes
  ! leaves || judge=no
  while read -r mode path unit; do
    changed "$path" "$mode" || continue
    keep "$path" "$unit"
    install_file "$mode" "$path" <"$STAGED$path"
  done <"$STAGED.manifest"
  names='' units=''
  if [ -e "$CHANGING" ]; then
    names=$(cut -d ' ' -f 1 "$CHANGING" | tr '\n' ' ')
    units=$(cut -d ' ' -f 2 "$CHANGING" | grep -vx -- - | sort -u | tr '\n' ' ')
  fi
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  restarted='' # what runs in a joined node, and so can be judged
  if [ -n "$units" ]; then
    since=$(now_rfc3339)
    for unit in $units; do
      if [ "$judge" = yes ] && [ -e "$CLIENT_CERTIFICATE" ] && [ "$(systemctl is-active "$unit")" = active ]; then restarted="$restarted$unit "; fi
    done
    # shellcheck disable=SC2086 # a list of unit names
    restart $units
    for unit in $restarted; do
      if ! healthy "$unit" "$since"; then
        say "tls-bootstrap: with the new files $unit of $NODE_NAME does not become healthy; the previous ones are put back"
        say "  changed: $names"
        unit_journal "$unit"
        # shellcheck disable=SC2086
        put_back $names
        # shellcheck disable=SC2086
        restart $units
        rm -f "$CHANGING"
        fail "the update of $NODE_NAME was undone" "correct the settings of $unit and run the update again"
      fi
    done
  fi
  rm -f "$CHANGING"
  # Files of an earlier bundle that this one no longer has.
  if [ -e "$MANIFEST" ]; then
    while read -r _ path _; do
      grep -qF " $path " "$STAGED.manifest" || discard "$path"
    done <"$MANIFEST"
  fi
  install_file 0600 "$MANIFEST" <"$STAGED.manifest"
  printf '{"phase":"kubelet","changed":[%s],"restarted":[%s],"ms":%d}\n' \
    "$(list "$names")" "$(list "$restarted")" $(($(now_ms) - started))
}

remove() {
  stop_unit kubelet
  if [ -e "$MANIFEST" ]; then
    while read -r _ path _; do discard "$path"; done <"$MANIFEST"
  fi
  rm -rf "$KUBELET_KUBECONFIG" "$BOOTSTRAP_KUBECONFIG" "$KUBELET_DIR/pki"
  empty_kubelet_dir ''
  rmdir "$KUBELET_DIR" 2>/dev/null || true # a file system of its own stays
  # The kubelet makes it for volume plugins that somebody may bring.
  rmdir -p --ignore-fail-on-non-empty /usr/libexec/kubernetes/kubelet-plugins/volume/exec 2>/dev/null || true
  rm -rf "$MANIFEST" "$PREVIOUS" "$CHANGING"
  systemctl daemon-reload
}

case "$1" in
  apply) apply ;;
  remove) remove ;;
esac
