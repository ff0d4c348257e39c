#!/bin/sh
# host.sh apply   downloads the binaries of the control plane and etcd; what runs goes on
set -eu
# shellcheck source=../../../components/worker/scripts/common.sh
. /opt/tls-bootstrap/scripts/common.sh
# shellcheck source=/dev/null
. "$CONF/host.conf"
# shellcheck source=../../../components/worker/scripts/download.sh
. "$LIB/download.sh"
# For fetch_release.
# shellcheck source=../../../components/worker/scripts/runtime-tarball.sh
. "$LIB/runtime-tarball.sh"

# Users of the components must be able to run the binaries.
umask 022
fetch_binaries
stage "$RELEASES"
fetch_release etcd "$ETCD_VERSION" "$ETCD_SHA256" "$ETCD_FILE" ''
folder=$(for_this_host "${ETCD_FILE##*/}")
link "${folder%.tar.gz}/etcd" "$RELEASES/etcd-$ETCD_VERSION/etcd"
