// Command ignition reads an Ignition config with Ignition's own parser. It prints what is wrong with the config and fails, or writes the files below a folder.
//
//	go run . FOLDER < CONFIG
package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/coreos/ignition/v2/config/v3_3"
	"github.com/vincent-petithory/dataurl"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder string) error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	config, report, err := v3_3.Parse(input)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, report.String())
	}
	if len(report.Entries) > 0 {
		return fmt.Errorf("the config has flaws:\n%s", report.String())
	}
	for _, file := range config.Storage.Files {
		content, err := contentOf(*file.Contents.Source, file.Contents.Compression)
		if err != nil {
			return fmt.Errorf("%s: %w", file.Path, err)
		}
		if err := write(folder, file.Path, content, os.FileMode(*file.Mode)); err != nil {
			return err
		}
	}
	for _, unit := range config.Systemd.Units {
		if err := write(folder, "/etc/systemd/system/"+unit.Name, []byte(*unit.Contents), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func contentOf(source string, compression *string) ([]byte, error) {
	url, err := dataurl.DecodeString(source)
	if err != nil || compression == nil {
		return url.Data, err
	}
	reader, err := gzip.NewReader(bytes.NewReader(url.Data))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

func write(folder, path string, content []byte, mode os.FileMode) error {
	to := filepath.Join(folder, path)
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, mode)
}
