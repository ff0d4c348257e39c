#!/bin/sh
# remove.sh < OWNER   removes the control plane from this host, with the data of etcd; nothing when the host belongs to another controller
#
# OWNER is the URN of the controller's resource. One that was renamed, and whose host a new one has taken over, must not end the control plane.
set -eu
# shellcheck source=../../../components/worker/scripts/common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"

read -r leaver
if [ "$OWNER" != "$leaver" ]; then
  say "this host belongs to $OWNER now, so it was not changed"
  exit 0
fi
for name in kube-scheduler kube-controller-manager kube-apiserver etcd; do
  stop_unit "$name"
  rm -f "/etc/systemd/system/$name.service"
  rm -rf "/etc/kubernetes/$name"
done
systemctl daemon-reload
rm -rf /var/lib/etcd /var/lib/private/etcd /opt/kubernetes "$CONF" "$STATE"
rmdir /etc/kubernetes 2>/dev/null || true
rm -rf "${LIB%/*}" # last, since these scripts are in it
