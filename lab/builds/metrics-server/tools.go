//go:build tools

// Package metrics imports the program that the lab builds, so that go.mod and go.sum pin its dependencies.
package metrics

import _ "sigs.k8s.io/metrics-server/cmd/metrics-server"
