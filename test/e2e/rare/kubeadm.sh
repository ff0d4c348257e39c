#!/bin/sh
# kubeadm.sh VERSION ADDRESS POD-NETWORK   makes a control plane on this host with `kubeadm init`, from the programs in /srv/kubeadm. A lab reaches no
# registry.
set -eu
version=$1
address=$2
pods=$3
cd /srv/kubeadm
export PATH="$PWD:$PATH"

# image NAME TAG: imports an image that has the program NAME.
image() {
  rm -rf image
  mkdir -p image/layer/bin
  cp "$1" image/layer/bin/
  (
    cd image
    tar -cf layer.tar -C layer .
    sum=$(sha256sum layer.tar)
    printf '{"os":"linux","architecture":"%s","config":{"Env":["PATH=/bin"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
      "$(dpkg --print-architecture)" "${sum%% *}" >config.json
    printf '[{"Config":"config.json","RepoTags":["registry.k8s.io/%s:%s"],"Layers":["layer.tar"]}]' "$1" "$2" >manifest.json
    tar -cf - config.json manifest.json layer.tar | ctr -n k8s.io images import - >/dev/null
  )
}
for name in kube-apiserver kube-controller-manager kube-scheduler; do image "$name" "v$version"; done
rm -rf image
pause=$(kubeadm config images list --kubernetes-version "v$version" | grep /pause:)
ctr -n k8s.io images tag lab.local/pause:1 "$pause" >/dev/null

# kubeadm's own etcd needs a newer release than Debian has, so this etcd runs outside, as kubeadm allows.
systemd-run --quiet --unit etcd --property Type=notify "$PWD/etcd" --data-dir /var/lib/etcd

# As in the package of the kubelet.
cat >/etc/systemd/system/kubelet.service <<END
[Service]
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
ExecStart=$PWD/kubelet --bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf --kubeconfig=/etc/kubernetes/kubelet.conf \
  --config=/var/lib/kubelet/config.yaml \$KUBELET_KUBEADM_ARGS
Restart=always
RestartSec=1
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl --quiet enable kubelet

cat >kubeadm.yaml <<END
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: { advertiseAddress: $address }
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$version
networking: { podSubnet: $pods }
dns: { disabled: true }
etcd: { external: { endpoints: ["http://127.0.0.1:2379"] } }
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
serverTLSBootstrap: true
# What a node in a container needs, here and below.
failCgroupV1: false
imageGCHighThresholdPercent: 100
evictionHard: { memory.available: 100Mi }
---
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
conntrack: { maxPerCore: 0 }
END
kubeadm init --config kubeadm.yaml --ignore-preflight-errors=SystemVerification,ExternalEtcdVersion
