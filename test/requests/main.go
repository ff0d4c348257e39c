// Command requests makes certificate requests as kubelets do, and reads them as the API server does.
//
//	requests make COUNT < NAMES > REQUESTS
//	requests read < REQUESTS > NAMES
//
// A line of NAMES is a node's name, for a serving certificate followed by its DNS names and IP addresses. For each line `make` prints COUNT
// requests: the base64 of PEM. `read` prints the names in each request as JSON, or an empty line when it cannot read the request.
package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
)

func request(line string) (string, error) {
	names := strings.Fields(line)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	template := &x509.CertificateRequest{
		Subject: pkix.Name{Organization: []string{"system:nodes"}, CommonName: "system:node:" + names[0]},
	}
	for _, name := range names[1:] {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, key)
	if err != nil {
		return "", err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return base64.StdEncoding.EncodeToString(text), nil
}

type asked struct {
	CommonName string   `json:"commonName"`
	DNS        []string `json:"dns,omitempty"`
	IPs        []net.IP `json:"ips,omitempty"`
}

// read reads a request like ParseCSR of k8s.io/kubernetes/pkg/apis/certificates/v1, which validation, approval and signing use.
func read(request string) (*asked, error) {
	text, err := base64.StdEncoding.DecodeString(request)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, fmt.Errorf("no PEM block of type CERTIFICATE REQUEST")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, err
	}
	return &asked{parsed.Subject.CommonName, parsed.DNSNames, parsed.IPAddresses}, nil
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	lines := bufio.NewScanner(os.Stdin)
	switch os.Args[1] {
	case "make":
		count, err := strconv.Atoi(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		for lines.Scan() {
			for range count {
				text, err := request(lines.Text())
				if err != nil {
					log.Fatal(err)
				}
				fmt.Fprintln(out, text)
			}
		}
	case "read":
		for lines.Scan() {
			line := []byte{}
			if asked, err := read(lines.Text()); err == nil {
				if line, err = json.Marshal(asked); err != nil {
					log.Fatal(err)
				}
			}
			fmt.Fprintf(out, "%s\n", line)
		}
	}
}
