// Command requests makes certificate requests as kubelets do, and reads them as the API server does.
//
//	requests make COUNT < NAMES > REQUESTS
//	requests forge COUNT < NAMES > REQUESTS
//	requests read < REQUESTS > NAMES
//
// A line of NAMES is a node's name, for a serving certificate followed by its DNS names and IP addresses. For each line `make` prints COUNT
// requests: the base64 of PEM. `forge` prints COUNT requests with changed bytes, which are signed after the change. `read` prints the names in each request as JSON, or an empty line when it cannot read the request.
package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	mathrand "math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
)

func request(line string, key *ecdsa.PrivateKey) ([]byte, error) {
	names := strings.Fields(line)
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
	return x509.CreateCertificateRequest(rand.Reader, template, key)
}

// forged changes one or two bytes of what a request signs, and signs it again. One half of the changes are in the node's name.
func forged(der []byte, key *ecdsa.PrivateKey, changes *mathrand.Rand) ([]byte, error) {
	parsed, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, err
	}
	info := bytes.Clone(parsed.RawTBSCertificateRequest)
	user := []byte(parsed.Subject.CommonName)
	name := bytes.Index(info, user) + len("system:node:")
	inName := changes.IntN(2) == 0
	for range 1 + changes.IntN(2) {
		if inName {
			info[name+changes.IntN(len(user)-len("system:node:"))] = nameBytes[changes.IntN(len(nameBytes))]
		} else {
			info[changes.IntN(len(info))] = byte(changes.IntN(256))
		}
	}
	digest := sha256.Sum256(info)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return nil, err
	}
	return asn1.Marshal(struct {
		Info      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		asn1.RawValue{FullBytes: info},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}}, // ecdsa-with-SHA256
		asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)},
	})
}

const nameBytes = "abcdefghijklmnopqrstuvwxyz0123456789-.AZ_*@"

func encode(der []byte) string {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	return base64.StdEncoding.EncodeToString(text)
}

// produce makes a request for a line, and changes it when there are changes to make.
func produce(line string, changes *mathrand.Rand) (string, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	der, err := request(line, key)
	if err == nil && changes != nil {
		der, err = forged(der, key, changes)
	}
	return encode(der), err
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
	case "make", "forge":
		var changes *mathrand.Rand
		if os.Args[1] == "forge" {
			changes = mathrand.New(mathrand.NewPCG(5, 7)) // the same changes in each run
		}
		count, err := strconv.Atoi(os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		for lines.Scan() {
			for range count {
				text, err := produce(lines.Text(), changes)
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
