#!/bin/sh
# Runs one phase on this host:  run.sh PHASE [ACTION]  (host|serving|kubelet|kube-proxy apply|remove, join, leave), its input on stdin.
#
# The phase runs in a transient systemd unit, under a lock and a deadline: a dropped connection neither stops it half way
# nor lets a second run start beside it.
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh

# What a killed run left behind; whoever holds the lock is the only one.
sweep() { rm -f "$RUN"/bootstrap.* "$RUN"/bundle.* "$RUN"/certificate.* "$RUN"/credential.*; }

if [ "$1" = --inside ]; then
  # Within the unit.
  input=$2 deadline=$3
  shift 3
  trap 'say "tls-bootstrap: \"$*\" did not finish within ${deadline} s and was stopped"; exit 124' TERM
  exec 9>"$RUN/lock"
  flock -n 9 || {
    say "another run of tls-bootstrap is busy on this host; waiting for it"
    flock -w "$deadline" 9 || fail "another run still holds $RUN/lock" "see 'systemctl list-units \"tls-bootstrap-*\"' on this host"
  }
  sweep
  phase=$1
  shift
  # In the background with wait, so that the TERM trap above runs at once.
  "$LIB/$phase.sh" "$@" <"$input" 9>&- &
  child=$!
  wait "$child"
  exit
fi

if [ "$1" = --ended ]; then
  # systemd runs this whichever way the unit has ended, killed too.
  rm -f "$2"
  exec 9>"$RUN/lock"
  flock -n 9 || exit 0 # somebody else has taken over, and does the rest
  sweep
  [ "$3" != join ] || "$LIB/join.sh" clean-up 9>&-
  exit
fi

case "$1" in
  host) deadline=900 ;; # downloads
  join | leave) deadline=600 ;;
  *) deadline=300 ;;
esac

umask 077
mkdir -p "$RUN"
work=$(mktemp -d "$RUN/$1.XXXXXX")
trap 'rm -rf "$work"; exit 129' HUP INT TERM
cat >"$work/input"
trap - HUP INT TERM # from here on the input belongs to the unit
status=0
systemd-run --quiet --collect --wait --unit "tls-bootstrap-${work##*/}" \
  --property "RuntimeMaxSec=$deadline" --property TimeoutStopSec=5 \
  --property "StandardOutput=file:$work/out" --property "StandardError=file:$work/err" \
  --property "ExecStopPost=-$LIB/run.sh --ended $work/input $1" \
  "$LIB/run.sh" --inside "$work/input" "$deadline" "$@" || status=$?
cat "$work/err" >&2
cat "$work/out"
rm -rf "$work"
exit "$status"
