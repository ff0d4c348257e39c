package main

import (
	"fmt"
	"go/ast"
	"strconv"
)

// Gate is a feature gate of a release.
type Gate struct {
	Default bool
	// Locked gates accept their default only: a kubelet that is told otherwise exits.
	Locked bool
}

// gatePackages register feature gates in a kubelet: by init (pkg/features, apiserver, apiextensions), or by calls in pkg/features
// (zpages, client-go), cmd/kubelet/app/server.go (logs) and pkg/kubelet/server/server.go (metrics). Those that others define and
// pkg/features refers to are found by that.
var gatePackages = []string{
	"k8s.io/kubernetes/pkg/features",
	"k8s.io/apiserver/pkg/features",
	"k8s.io/apiextensions-apiserver/pkg/features",
	"k8s.io/client-go/features",
	"k8s.io/component-base/logs/api/v1",
	"k8s.io/component-base/metrics/features",
	"k8s.io/component-base/zpages/features", // from 1.32 on
}

// readGates collects the gates of a release.
func readGates(src *Sources) (map[string]Gate, error) {
	gates := map[string]Gate{}
	for _, path := range gatePackages {
		if path == "k8s.io/component-base/zpages/features" && minorOf(src.version) < 32 {
			continue
		}
		p, err := src.load(path)
		if err != nil {
			return nil, err
		}
		for _, file := range p.files {
			var failed error
			ast.Inspect(file, func(node ast.Node) bool {
				if literal, ok := node.(*ast.CompositeLit); ok && isGateMap(literal.Type) && failed == nil {
					failed = p.gatesIn(file, literal, gates)
				}
				return failed == nil
			})
			if failed != nil {
				return nil, failed
			}
		}
	}
	return gates, nil
}

// isGateMap recognises map[featuregate.Feature]featuregate.FeatureSpec and the like with VersionedSpecs.
func isGateMap(expression ast.Expr) bool {
	kind, ok := expression.(*ast.MapType)
	if !ok || lastName(kind.Key) != "Feature" {
		return false
	}
	value := lastName(kind.Value)
	return value == "FeatureSpec" || value == "VersionedSpecs"
}

func lastName(expression ast.Expr) string {
	switch expression := expression.(type) {
	case *ast.Ident:
		return expression.Name
	case *ast.SelectorExpr:
		return expression.Sel.Name
	}
	return ""
}

func (p *Package) gatesIn(file *ast.File, literal *ast.CompositeLit, gates map[string]Gate) error {
	for _, element := range literal.Elts {
		entry := element.(*ast.KeyValueExpr)
		definer := p
		if selector, ok := entry.Key.(*ast.SelectorExpr); ok {
			imported, err := p.imported(file, selector.X.(*ast.Ident).Name)
			if err != nil {
				return err
			}
			definer = imported
		}
		name, err := definer.constant(lastName(entry.Key))
		if err != nil {
			return err
		}
		gate, exists, err := p.specOf(entry.Value.(*ast.CompositeLit))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if exists {
			gates[name] = gate
		}
	}
	return nil
}

// specOf reads {Default: true, LockToDefault: true}, or of a list of those with versions the last that this release has reached.
func (p *Package) specOf(literal *ast.CompositeLit) (gate Gate, exists bool, err error) {
	for _, element := range literal.Elts {
		if spec, ok := element.(*ast.CompositeLit); ok {
			version, err := versionOf(spec)
			if err != nil {
				return gate, false, err
			}
			if version > minorOf(p.src.version) {
				continue
			}
			if gate, _, err = p.specOf(spec); err != nil {
				return gate, false, err
			}
			exists = true
			continue
		}
		exists = true
		entry := element.(*ast.KeyValueExpr)
		value := lastName(entry.Value)
		// Some defaults are constants of the package, such as contextualLoggingDefault.
		if value != "true" && value != "false" && lastName(entry.Key) == "Default" {
			if value, err = p.boolean(value); err != nil {
				return gate, false, err
			}
		}
		switch lastName(entry.Key) {
		case "Default":
			gate.Default = value == "true"
		case "LockToDefault":
			gate.Locked = value == "true"
		}
	}
	return gate, exists, nil
}

func (p *Package) boolean(name string) (string, error) {
	word := ""
	p.definitions(func(constant string, _, value ast.Expr) {
		if constant == name {
			word = lastName(value)
		}
	})
	if word == "" {
		return "", fmt.Errorf("no constant %s", name)
	}
	return word, nil
}

// versionOf reads Version: version.MustParse("1.34"), as its minor; 1.0 and the like are 0.
func versionOf(spec *ast.CompositeLit) (int, error) {
	for _, element := range spec.Elts {
		entry := element.(*ast.KeyValueExpr)
		if lastName(entry.Key) != "Version" {
			continue
		}
		call := entry.Value.(*ast.CallExpr)
		text, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
		if err != nil {
			return 0, err
		}
		return minorOf(text), nil
	}
	return 0, fmt.Errorf("a versioned spec without a version")
}
