#!/bin/sh
# component.sh apply NAME < BUNDLE   installs files of a component, restarts it, and waits until it is healthy
# component.sh start NAME < BUNDLE   the same without waiting
#
# A bundle is shell: `file MODE PATH <<'END'` for each file, and `# end of bundle` as the last line. The credentials come in a bundle of their own,
# before the first unit. A component that does not become healthy gets its previous files back.
set -eu
# shellcheck source=../../../components/worker/scripts/common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"

action=$1 name=$2
UNIT=/etc/systemd/system/$name.service
PREVIOUS=$STATE/previous
HEALTHY_SECONDS=180

installed=
file() { # MODE PATH < CONTENT
  save_previous "$2"
  install_file "$1" "$2"
  installed="$installed $2"
}

url() {
  case "$name" in
    etcd) echo http://127.0.0.1:2381/health ;;
    kube-apiserver) echo https://127.0.0.1:6443/readyz ;;
    kube-controller-manager) echo https://127.0.0.1:10257/healthz ;;
    kube-scheduler) echo https://127.0.0.1:10259/readyz ;;
  esac
}

# answers: its own health check succeeds. Nothing secret goes there, so the certificate, which may be self-signed, need not be verified.
answers() {
  if command -v curl >/dev/null; then
    curl --silent --fail --insecure --noproxy '*' --max-time 5 "$(url)" >/dev/null
  else
    wget --quiet --no-check-certificate --no-proxy --timeout=5 --tries=1 -O /dev/null "$(url)"
  fi
}

# healthy_again: it answers. One that ends again and again never will.
healthy_again() {
  deadline=$(($(date +%s) + HEALTHY_SECONDS))
  restarts=$(systemctl show -P NRestarts "$name")
  while [ "$(date +%s)" -lt "$deadline" ]; do
    ! answers || return 0
    [ "$(systemctl show -P NRestarts "$name")" -lt $((restarts + 5)) ] || return 1
    sleep 0.5
  done
  return 1
}

restart() {
  systemctl daemon-reload
  systemctl enable --quiet "$name"
  systemctl restart "$name" || true # one that does not even start does not become healthy
}

# undo: the first files of a component have no previous ones, and stay for the next attempt.
undo() {
  unit_journal "$name"
  [ -e "$PREVIOUS" ] ||
    fail "$name of $CONTROLLER does not become healthy" "correct the cause in the lines above, then run 'pulumi up' again"
  # shellcheck disable=SC2086 # a list of paths without blanks
  restore_previous $installed
  restart
  fail "with its new files $name of $CONTROLLER does not become healthy; the previous ones were put back" \
    "correct the cause in the lines above, then run 'pulumi up' again"
}

bundle=$(mktemp "$RUN/bundle.XXXXXX")
trap 'rm -rf "$bundle" "$PREVIOUS"' EXIT
cat >"$bundle"
[ "$(tail -n 1 "$bundle")" = "# end of bundle" ] || fail "some of the files of $name did not arrive; nothing was changed" "run 'pulumi up' again"
mkdir -p "$STATE"
chmod 0700 "$STATE"
rm -rf "$PREVIOUS" # a killed run leaves it behind
mkdir -p "/etc/kubernetes/$name"
chmod 0700 "/etc/kubernetes/$name"
# shellcheck source=/dev/null
. "$bundle"
if [ -e "$UNIT" ]; then
  restart
  [ "$action" = start ] || healthy_again || undo
fi
