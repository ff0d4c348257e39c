//go:build tools

// Package pulumi imports the program that the lab builds, so that go.mod and go.sum pin its dependencies.
package pulumi

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
