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
	// Needs are the gates without which it cannot be on.
	Needs []string
}

// gatePackages register feature gates in a kubelet: by init (pkg/features, apiserver, apiextensions, controller-manager), or by calls in pkg/features
// (zpages, client-go), cmd/kubelet/app/server.go (logs) and pkg/kubelet/server/server.go (metrics). Those that others define and
// pkg/features refers to are found by that.
var gatePackages = []string{
	"k8s.io/kubernetes/pkg/features",
	"k8s.io/apiserver/pkg/features",
	"k8s.io/apiextensions-apiserver/pkg/features",
	"k8s.io/client-go/features",
	"k8s.io/controller-manager/pkg/features",
	"k8s.io/component-base/logs/api/v1",
	"k8s.io/component-base/metrics/features",
	"k8s.io/component-base/zpages/features",
}

// readGates collects the gates of a release.
func readGates(src *Sources) (map[string]Gate, error) {
	gates := map[string]Gate{}
	for _, path := range gatePackages {
		p, err := src.load(path)
		if err != nil {
			return nil, err
		}
		for _, file := range p.files {
			if err := eachMap(file, isSpec, func(literal *ast.CompositeLit) error { return p.gatesIn(file, literal, gates) }); err != nil {
				return nil, err
			}
		}
	}
	p, err := src.load(gatePackages[0])
	if err != nil {
		return nil, err
	}
	for _, file := range p.files {
		if err := eachMap(file, isList, func(literal *ast.CompositeLit) error { return p.needsIn(file, literal, gates) }); err != nil {
			return nil, err
		}
	}
	return gates, nil
}

// eachMap calls back with each map literal of a file whose keys are gates, and whose values are as asked for.
func eachMap(file *ast.File, isValue func(ast.Expr) bool, each func(*ast.CompositeLit) error) (failed error) {
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.CompositeLit); ok && failed == nil {
			if kind, ok := literal.Type.(*ast.MapType); ok && lastName(kind.Key) == "Feature" && isValue(kind.Value) {
				failed = each(literal)
			}
		}
		return failed == nil
	})
	return failed
}

// isSpec recognises featuregate.FeatureSpec, and VersionedSpecs.
func isSpec(expression ast.Expr) bool {
	name := lastName(expression)
	return name == "FeatureSpec" || name == "VersionedSpecs"
}

// isList recognises []featuregate.Feature: what a gate needs (pkg/features, from 1.35 on).
func isList(expression ast.Expr) bool {
	list, ok := expression.(*ast.ArrayType)
	return ok && lastName(list.Elt) == "Feature"
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

// gateName resolves the constant of a gate, such as genericfeatures.AuthorizeWithSelectors or, for a gate of client-go,
// featuregate.Feature(clientfeatures.AtomicFIFO).
func (p *Package) gateName(file *ast.File, constant ast.Expr) (string, error) {
	if conversion, ok := constant.(*ast.CallExpr); ok && len(conversion.Args) == 1 {
		constant = conversion.Args[0]
	}
	return p.text(file, constant)
}

func (p *Package) needsIn(file *ast.File, literal *ast.CompositeLit, gates map[string]Gate) error {
	for _, element := range literal.Elts {
		entry := element.(*ast.KeyValueExpr)
		name, err := p.gateName(file, entry.Key)
		if err != nil {
			return err
		}
		gate, known := gates[name]
		if !known {
			return fmt.Errorf("needs of %s, which is no gate", name)
		}
		for _, constant := range entry.Value.(*ast.CompositeLit).Elts {
			needed, err := p.gateName(file, constant)
			if err != nil {
				return err
			}
			gate.Needs = append(gate.Needs, needed)
		}
		gates[name] = gate
	}
	return nil
}

func (p *Package) gatesIn(file *ast.File, literal *ast.CompositeLit, gates map[string]Gate) error {
	for _, element := range literal.Elts {
		entry := element.(*ast.KeyValueExpr)
		name, err := p.gateName(file, entry.Key)
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
