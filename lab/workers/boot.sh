#!/bin/sh
# Usage: boot.sh NAMESPACE HOSTNAME ROOTFS GROUPFILE...
# Boots a worker, and again each time it reboots itself. GROUPFILE: the cgroup.procs of the worker's control groups.
set -u
namespace=$1
hostname=$2
rootfs=$3
shift 3

# systemd-nspawn ends with this status when the container asked for a reboot.
reboot_status=133

boot() {
  # The shell that becomes systemd-nspawn joins the groups; this one stays out, so that it survives the worker's processes.
  # shellcheck disable=SC2016
  setpriv --pdeathsig KILL -- sh -c '
    rootfs=$1 namespace=$2 hostname=$3
    shift 3
    for group; do echo $$ >"$group" || exit 1; done
    exec systemd-nspawn --quiet --settings=no --register=no --keep-unit --boot --directory="$rootfs" \
      --machine="$namespace" --hostname="$hostname" --network-namespace-path="/run/netns/$namespace" \
      --capability=all --drop-capability=CAP_SYS_TIME,CAP_SYS_MODULE \
      --system-call-filter="add_key keyctl bpf perf_event_open" --bind=/dev/kmsg \
      --resolv-conf=off --timezone=off --link-journal=no --console=pipe
  ' sh "$rootfs" "$namespace" "$hostname" "$@"
}

# What the last run left: empty groups of services and pods.
clear_groups() {
  for group; do
    find "${group%/cgroup.procs}" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
  done
}

while :; do
  clear_groups "$@"
  boot "$@" </dev/null
  status=$?
  [ "$status" -eq "$reboot_status" ] || exit "$status"
done
