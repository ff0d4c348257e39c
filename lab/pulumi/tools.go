//go:build tools

// Package pulumi names the program that the lab builds, so that go.mod and go.sum cover what it imports.
package pulumi

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
