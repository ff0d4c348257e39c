#!/bin/sh
# shell.sh SSH-CONFIG FOLDER WORKER...   writes a kubelet's files on all workers at once and starts it: the least that a join needs
#
# FOLDER/files has the files, laid out as on a worker.
set -eu
config=$1 folder=$2
shift 2

processes=
for worker; do
  tar -C "$folder/files" -c . |
    ssh -F "$config" "$worker" 'sudo -n sh -c "tar -C / -x --no-same-owner --no-overwrite-dir && systemctl daemon-reload && systemctl enable --quiet --now kubelet"' &
  processes="$processes $!"
done
for process in $processes; do wait "$process"; done
