//go:build tools

// Package cni imports the program that the lab builds, so that go.mod and go.sum pin its dependencies.
package cni

import _ "github.com/containernetworking/plugins/plugins/meta/flannel"
