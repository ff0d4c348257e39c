// Command storm requests client certificates for many nodes at once, by the kubelet's own code for its first start.
//
//	storm BOOTSTRAP-KUBECONFIG PREFIX COUNT
//
// The nodes are PREFIX1 to PREFIX<COUNT>. Prints the seconds after which each has its certificate, as a JSON list in ascending order.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/kubernetes/pkg/kubelet/certificate/bootstrap"
)

// join gets a certificate for the node, in a folder of its own.
func join(ctx context.Context, template *api.Config, folder, node string) error {
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	config := template.DeepCopy()
	for _, cluster := range config.Clusters {
		// client-go shares connections between clients with the same CA text, and kubelets have connections of their own.
		cluster.CertificateAuthorityData = append(cluster.CertificateAuthorityData, "\n# "+node+"\n"...)
	}
	token := filepath.Join(folder, "bootstrap")
	if err := clientcmd.WriteToFile(*config, token); err != nil {
		return err
	}
	return bootstrap.LoadClientCert(ctx, filepath.Join(folder, "kubeconfig"), token, folder, types.NodeName(node))
}

func storm(kubeconfig, prefix string, count int) ([]float64, error) {
	template, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "storm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	seconds := make([]float64, count)
	nodes, ctx := errgroup.WithContext(context.Background())
	begin := time.Now()
	for i := range count {
		nodes.Go(func() error {
			node := fmt.Sprintf("%s%d", prefix, i+1)
			err := join(ctx, template, filepath.Join(folder, node), node)
			seconds[i] = time.Since(begin).Seconds()
			return err
		})
	}
	err = nodes.Wait()
	slices.Sort(seconds)
	return seconds, err
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 4 {
		log.Fatal("usage: storm BOOTSTRAP-KUBECONFIG PREFIX COUNT")
	}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	seconds, err := storm(os.Args[1], os.Args[2], count)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(seconds); err != nil {
		log.Fatal(err)
	}
}
