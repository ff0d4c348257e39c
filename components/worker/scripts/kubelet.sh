#!/bin/sh
# kubelet.sh apply < BUNDLE   installs the files of the bundle and restarts the units whose files have changed
# kubelet.sh remove           stops the kubelet and removes the installed files
#
# A bundle is shell: `file MODE PATH [UNIT] <<'END'` for each file, and `# end of bundle` as the last line. When a restarted unit does not become
# healthy, the previous files are put back. So a bad setting costs a failed update and not a node.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh

STAGED=$STATE/staged     # the bundle's files, as a tree
PREVIOUS=$STATE/previous # the files that they replace, as a tree
CHANGING=$STATE/changing # PATH UNIT of each replaced file, until its unit works with it
MANIFEST=$STATE/manifest # MODE PATH UNIT of each installed file

file() { # MODE PATH [UNIT] < CONTENT
  (umask 077 && mkdir -p "$STAGED${2%/*}" && cat >"$STAGED$2")
  printf '%s %s %s\n' "$1" "$2" "${3:--}" >>"$STAGED.manifest"
}

stage() {
  bundle=$(mktemp "$RUN/bundle.XXXXXX")
  trap 'rm -rf "$bundle" "$STAGED" "$STAGED.manifest"' EXIT
  cat >"$bundle"
  [ "$(tail -n 1 "$bundle")" = "# end of bundle" ] || fail "some of the kubelet's files did not arrive; nothing was changed" "run 'pulumi up' again"
  rm -rf "$STAGED" "$STAGED.manifest"
  # shellcheck source=/dev/null
  . "$bundle"
}

# differs PATH MODE: the installed file is not the one in the bundle.
differs() { ! cmp -s "$STAGED$1" "$1" || [ "$(stat -c '0%a' "$1")" != "$2" ]; }

restart() { # UNIT...
  systemctl daemon-reload
  for unit in "$@"; do systemctl try-restart "$unit"; done
}

# json_list "A B ": "A","B"
json_list() { printf '%s' "${1% }" | sed 's/[^ ][^ ]*/"&"/g; s/ /,/g'; }

# keep PATH UNIT: saves the file at PATH before it is replaced. An entry in CHANGING outlives a killed run, so that the next run restarts UNIT and
# still has the file that UNIT last worked with.
keep() {
  ! grep -qsF "$1 " "$CHANGING" || return 0
  save_previous "$1"
  printf '%s %s\n' "$1" "$2" >>"$CHANGING"
  sync "$CHANGING"
}

# rejoins: this update also raises the generation. Step join then wipes the identity, which may be that of a cluster that no longer exists, so the
# kubelet's health with it says nothing.
rejoins() {
  generation() { sed -n "s/^GENERATION=//p" "$1$CONF/node.conf" 2>/dev/null || true; }
  was=$(generation "$PREVIOUS")
  [ -n "$was" ] || was=$(generation '')
  [ -n "$was" ] && [ "$was" != "$(generation "$STAGED")" ]
}

# discard PATH: deletes a file that is no longer needed, and its folder when that is empty. A unit is stopped first.
discard() {
  case "$1" in /etc/systemd/system/*.service) stop_unit "${1##*/}" ;; esac
  rm -f "$1"
  rmdir "${1%/*}" 2>/dev/null || true
}

install_files() {
  while read -r mode path unit; do
    differs "$path" "$mode" || continue
    keep "$path" "$unit"
    install_file "$mode" "$path" <"$STAGED$path"
  done <"$STAGED.manifest"
}

# restart_units UNIT...: only a unit that runs in a joined node can be judged.
restart_units() {
  since=$(now_rfc3339)
  for unit in "$@"; do
    if [ "$judge" = yes ] && [ -e "$CLIENT_CERTIFICATE" ] && [ "$(systemctl is-active "$unit")" = active ]; then restarted="$restarted$unit "; fi
  done
  restart "$@"
  for unit in $restarted; do
    healthy "$unit" "$since" || undo "$unit" "$@"
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
  restart "$@"
  rm -f "$CHANGING"
  fail "the update of $NODE_NAME was undone" "$advice, then run 'pulumi up' again"
}

apply() {
  started=$(now_ms)
  stage
  [ -e "$CHANGING" ] || rm -rf "$PREVIOUS"
  judge=yes
  ! rejoins || judge=no
  install_files
  names='' units='' restarted=''
  if [ -e "$CHANGING" ]; then
    names=$(cut -d ' ' -f 1 "$CHANGING" | tr '\n' ' ')
    units=$(cut -d ' ' -f 2 "$CHANGING" | grep -vx -- - | sort -u | tr '\n' ' ')
  fi
  # shellcheck source=/dev/null
  . "$CONF/node.conf"
  # shellcheck disable=SC2086 # a list of unit names
  [ -z "$units" ] || restart_units $units
  rm -f "$CHANGING"
  # Files of an earlier bundle.
  if [ -e "$MANIFEST" ]; then
    while read -r _ path _; do
      grep -qF " $path " "$STAGED.manifest" || discard "$path"
    done <"$MANIFEST"
  fi
  install_file 0600 "$MANIFEST" <"$STAGED.manifest"
  printf '{"step":"kubelet","changed":[%s],"restarted":[%s],"ms":%d}\n' \
    "$(json_list "$names")" "$(json_list "$restarted")" $(($(now_ms) - started))
}

remove() {
  stop_unit kubelet
  if [ -e "$MANIFEST" ]; then
    while read -r _ path _; do discard "$path"; done <"$MANIFEST"
  fi
  wipe_kubelet ''
  rmdir "$KUBELET_DIR" 2>/dev/null || true # it may be a mount point
  # The kubelet makes this folder for volume plugins.
  rmdir -p --ignore-fail-on-non-empty /usr/libexec/kubernetes/kubelet-plugins/volume/exec 2>/dev/null || true
  rm -rf "$MANIFEST" "$PREVIOUS" "$CHANGING"
  systemctl daemon-reload
}

case "$1" in
  apply) apply ;;
  remove) remove ;;
esac
