// Command kubelet-schema reads the Go sources of Kubernetes and writes the schema of kubelets: the fields of
// KubeletConfiguration with their types, the feature gates and the command line flags, each with the minors that have it.
//
// The go command downloads and verifies the sources as Go modules. They are parsed, but not compiled or run.
//
//	go run . -releases FILE [-minor 34] -out FOLDER
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	file := flag.String("releases", "", "JSON list of the releases to read, one for each supported minor, oldest first")
	out := flag.String("out", "", "folder of the files to write")
	only := flag.String("minor", "", "read one minor only, such as 34, and print its kubelets.json")
	flag.Parse()

	list, err := os.ReadFile(*file)
	if err != nil {
		log.Fatal(err)
	}
	var versions []string
	if err := json.Unmarshal(list, &versions); err != nil {
		log.Fatalf("%s: %v", *file, err)
	}

	var releases []*Release
	for _, version := range versions {
		if minor := minorOf(version); *only == "" || *only == fmt.Sprint(minor) {
			release, err := Read(version)
			if err != nil {
				log.Fatalf("Kubernetes %s: %v", version, err)
			}
			releases = append(releases, release)
		}
	}
	if len(releases) == 0 {
		log.Fatalf("%s has no release of minor %s: %v", *file, *only, versions)
	}
	schema, err := Merge(releases)
	if err != nil {
		log.Fatal(err)
	}
	var data bytes.Buffer
	schema.WriteJSON(&data)
	if *only != "" {
		os.Stdout.Write(data.Bytes())
		return
	}
	var types bytes.Buffer
	schema.WriteTypeScript(&types)
	for name, text := range map[string][]byte{"kubelets.json": data.Bytes(), "KubeletConfiguration.ts": types.Bytes()} {
		if err := os.WriteFile(filepath.Join(*out, name), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}
