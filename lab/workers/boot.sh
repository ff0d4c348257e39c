#!/bin/sh
# Usage: boot.sh NAMESPACE HOSTNAME ROOTFS GROUPFILE...
# Boots a worker, and boots it again after each reboot. GROUPFILE is the file cgroup.procs of a control group of the worker.
set -u
namespace=$1
hostname=$2
rootfs=$3
shift 3

# systemd-nspawn ends with this status when the container asked for a reboot.
reboot_status=133

boot() {
  # A second shell joins the groups and becomes systemd-nspawn. This shell stays outside, so that it survives the worker.
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

# Removes the empty groups of services and pods that the last boot left.
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
