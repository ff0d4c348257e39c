#!/bin/sh
# Mounts that a kubelet expects of a machine.
set -u
# Control groups of version 1 are read-only in a container; the kubelet makes some for the pods. (On version 2, no change.)
for hierarchy in /sys/fs/cgroup/*/; do
  mount -o remount,rw,bind "$hierarchy" 2>/dev/null || true
done
mount -o remount,rw,bind /proc/sys
# The host's swap is not the worker's.
mount --bind /usr/lib/lab/swaps /proc/swaps
# Volumes and network namespaces of pods must show up wherever this is mounted.
mount --make-rshared /
