#!/bin/sh
# Usage: releases.sh DEBIAN FOLDER CONTAINERD-VERSION RUNC-VERSION CNI-VERSION
# Makes container runtime releases in FOLDER, laid out like GitHub. Builds containerd and the CNI plugins from their Go modules. Takes runc
# from the root file system DEBIAN.
set -eu
debian=$1
folder=$2
containerd=$3
runc=$4
cni=$5

export CGO_ENABLED=0 GOFLAGS='' GOTOOLCHAIN=local
arch=$(go env GOARCH)
work=$folder/work

mkdir -p "$work/bin"
GOBIN=$work/bin go install -trimpath -ldflags "-s -w -X github.com/containerd/containerd/v2/version.Version=v$containerd" \
  "github.com/containerd/containerd/v2/cmd/containerd@v$containerd" \
  "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2@v$containerd" \
  "github.com/containerd/containerd/v2/cmd/ctr@v$containerd"
to=$folder/containerd/containerd/releases/download/v$containerd
mkdir -p "$to"
cd "$to"
file=containerd-$containerd-linux-$arch.tar.gz
tar -C "$work" -czf "$file" bin
sha256sum "$file" >"$file.sha256sum"

to=$folder/opencontainers/runc/releases/download/v$runc
mkdir -p "$to"
cd "$to"
cp "$debian/usr/sbin/runc" "runc.$arch"
sha256sum "runc.$arch" >runc.sha256sum

mkdir "$work/cni"
GOBIN=$work/cni go install -trimpath -ldflags "-s -w" \
  "github.com/containernetworking/plugins/plugins/main/bridge@v$cni" \
  "github.com/containernetworking/plugins/plugins/main/loopback@v$cni" \
  "github.com/containernetworking/plugins/plugins/ipam/host-local@v$cni" \
  "github.com/containernetworking/plugins/plugins/meta/portmap@v$cni"
to=$folder/containernetworking/plugins/releases/download/v$cni
mkdir -p "$to"
cd "$to"
file=cni-plugins-linux-$arch-v$cni.tgz
tar -C "$work/cni" -czf "$file" .
sha256sum "$file" >"$file.sha256"

rm -rf "$work"
