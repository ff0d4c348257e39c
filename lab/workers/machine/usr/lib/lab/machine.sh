#!/bin/sh
# Makes the mounts that a kubelet expects.
set -u
# The kubelet makes control groups for pods, and cgroup v1 is read-only in a container. With cgroup v2, mount fails and changes nothing.
for hierarchy in /sys/fs/cgroup/*/; do
  mount -o remount,rw,bind "$hierarchy" 2>/dev/null || true
done
mount -o remount,rw,bind /proc/sys
# Hide the host's swap, with which a kubelet does not start.
mount --bind /usr/lib/lab/swaps /proc/swaps
# Mounts of pods' volumes and network namespaces must propagate to other mount namespaces.
mount --make-rshared /
