#!/bin/sh
# kubeadm.sh SSH-CONFIG FOLDER WORKER...   runs 'kubeadm join' on all workers at once
#
# FOLDER/kubeadm-join.yaml is the JoinConfiguration, with the token.
set -eu
config=$1 folder=$2
shift 2

processes=
for worker; do
  ssh -F "$config" "$worker" sudo -n kubeadm join --config /dev/stdin <"$folder/kubeadm-join.yaml" &
  processes="$processes $!"
done
for process in $processes; do wait "$process"; done
