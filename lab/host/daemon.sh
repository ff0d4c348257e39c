#!/bin/sh
# Usage: daemon.sh PIDFILE COMMAND [ARGUMENT...]
# Writes its pid to PIDFILE and then becomes COMMAND. The pid file exists before COMMAND starts, so the lab can stop
# COMMAND even after the program that started it was killed.
set -eu
pidfile=$1
shift
printf '%s %s %s\n' "$$" "$(cut -d' ' -f22 "/proc/$$/stat")" "$(cat /proc/sys/kernel/random/boot_id)" >"$pidfile.new"
mv "$pidfile.new" "$pidfile"
exec "$@"
