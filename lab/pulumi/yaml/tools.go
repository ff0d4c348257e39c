//go:build tools

// Package yaml imports the program that the lab builds, so that go.mod and go.sum pin its dependencies.
package yaml

import _ "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
