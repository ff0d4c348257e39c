#!/bin/sh
# Usage: daemon.sh PIDFILE COMMAND [ARGUMENT...]
# Becomes COMMAND, having said first which process it is: the pid file exists before the command does anything, so that
# nothing started here is ever lost, even when the program that started it is killed.
set -eu
pidfile=$1
shift
printf '%s %s %s\n' "$$" "$(cut -d' ' -f22 "/proc/$$/stat")" "$(cat /proc/sys/kernel/random/boot_id)" >"$pidfile.new"
mv "$pidfile.new" "$pidfile"
exec "$@"
