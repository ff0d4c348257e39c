#!/bin/sh
# run.sh STEP [ACTION] < INPUT   runs one step on this host: host|serving|kubelet|kube-proxy apply, join, leave
#
# The step runs in a transient systemd unit, under a lock and a deadline. A dropped connection does not stop it, and a second run waits for it.
# The step's receipt (stdout) goes to the caller. Its messages (stderr) go to the caller and to the journal: journalctl -u 'tls-bootstrap-*'
set -eu
# shellcheck source=common.sh
. /opt/tls-bootstrap/scripts/common.sh

# sweep: deletes what a killed run has left behind. Only for the holder of the lock.
sweep() {
  for left in "$RUN"/bootstrap-* "$RUN"/bundle.* "$RUN"/certificate.* "$RUN"/credential.*; do
    [ ! -e "$left" ] || rm -f "$left"
  done
}

# systemd runs this in the unit, where stderr is the journal.
if [ "$1" = --inside ]; then
  work=$2 deadline=$3
  : >"$work/begun"
  shift 3
  step=$*
  # systemd sends TERM to all processes of the unit. tee outlives it and ends after the last line of the others.
  (trap '' TERM && exec tee "$work/err" <"$work/pipe" >&2) &
  log=$!
  exec 2>"$work/pipe"
  trap 'trap "" TERM; exec 2>&-; wait "$log"' EXIT
  trap 'fail "step \"$step\" did not end within $deadline s and was stopped" "see its last lines above for the cause, then run \"pulumi up\" again"' TERM
  exec 9>"$RUN/lock"
  hold_lock "$deadline"
  sweep
  script=$1
  shift
  # A shell handles a signal during wait, but not while a child runs in the foreground.
  "$LIB/$script.sh" "$@" <"$work/input" 9>&- &
  wait "$!"
  : >"$work/done"
  exit
fi

# systemd runs this after the unit has ended, also when it was killed.
if [ "$1" = --ended ]; then
  # The caller reads the output and deletes the folder. After a dropped connection there is no caller.
  if kill -0 "$4" 2>/dev/null; then rm -f "$2/input"; else rm -rf "$2"; fi
  exec 9>"$RUN/lock"
  flock -n 9 || exit 0 # the run that holds it now sweeps
  sweep
  [ "$3" != join ] || "$LIB/join.sh" clean-up 9>&-
  exit
fi

# shellcheck source=/dev/null
. "$CONF/host.conf"
case "$1" in
  host) deadline=3600 ;; # downloads, with a slow network and a slow disk
  kubelet) deadline=$((600 + DRAIN_SECONDS + PAUSE_SECONDS)) ;;
  join) deadline=$((1200 + DRAIN_SECONDS)) ;; # large images of a network plugin
  leave) deadline=$((600 + DRAIN_SECONDS)) ;;
  *) deadline=300 ;;
esac

umask 077
[ -d "$RUN" ] || mkdir -p "$RUN"
work=$(mktemp -d "$RUN/$1.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 129' HUP INT TERM
mkfifo "$work/pipe"
: >"$work/out"
: >"$work/err"
cat >"$work/input"
trap - HUP INT TERM # from here on the unit needs the folder
status=0
answer=$(systemd-run --quiet --collect --wait --unit "tls-bootstrap-${work##*/}" --description "tls-bootstrap step: $*" \
  --property "RuntimeMaxSec=$deadline" --property TimeoutStopSec=5 \
  --property "StandardOutput=file:$work/out" --property StandardError=journal \
  --property "ExecStopPost=-/bin/sh $LIB/run.sh --ended $work $1 $$" \
  /bin/sh "$LIB/run.sh" --inside "$work" "$deadline" "$@" 2>&1) || status=$?
[ -e "$work/begun" ] || fail "systemd did not start step \"$*\": $answer" "see 'systemctl status' and 'journalctl -xe' on this host for the cause, then run 'pulumi up' again"
[ ! -s "$work/err" ] || cat "$work/err" >&2
# systemd-run also ends without an error when it loses its connection to systemd, as at a power cut or a restart of systemd itself.
if [ "$status" = 0 ] && [ ! -e "$work/done" ]; then
  trap - EXIT # the step may still run, and deletes the folder then
  fail "systemd lost sight of step \"$*\"" "run 'pulumi up' again; it waits for the step if that still runs"
fi
cat "$work/out"
exit "$status"
