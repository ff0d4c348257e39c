// Writes components/kubelet/kubelets.json and KubeletConfiguration.ts. Run by: npm run generate:kubelet
module tls-bootstrap/tools/kubelet-schema

go 1.24.0
