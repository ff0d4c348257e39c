//go:build tools

// Package flannel imports the programs that the lab builds, so that go.mod and go.sum pin their dependencies.
package flannel

import (
	_ "github.com/flannel-io/flannel"
	_ "github.com/flannel-io/flannel/cmd/install_conf"
)
