package main

import (
	"fmt"
	"go/ast"
	"strconv"
)

// Gate is a feature gate of a release.
type Gate struct {
	Default bool
	// Locked says that the gate accepts only its default. A kubelet with another value exits.
	Locked bool
	// Needs are the gates that must be on for this gate to be on.
	Needs []string
}

// gatePackages are the packages that define a kubelet's feature gates. Some register the gates in init: pkg/features, apiserver, apiextensions
// and controller-manager. Others are called by pkg/features (zpages, client-go), cmd/kubelet/app/server.go (logs) and
// pkg/kubelet/server/server.go (metrics).
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

// readGates returns the gates of a release by name.
func readGates(src *Sources) (map[string]Gate, error) {
	gates := map[string]Gate{}
	for _, path := range gatePackages {
		p, err := src.load(path)
		if err != nil {
			return nil, err
		}
		for _, file := range p.files {
			if err := eachGateMap(file, isSpec, func(literal *ast.CompositeLit) error { return p.gatesIn(file, literal, gates) }); err != nil {
				return nil, err
			}
		}
	}
	p, err := src.load(gatePackages[0])
	if err != nil {
		return nil, err
	}
	for _, file := range p.files {
		if err := eachGateMap(file, isGateList, func(literal *ast.CompositeLit) error { return p.needsIn(file, literal, gates) }); err != nil {
			return nil, err
		}
	}
	return gates, nil
}

// eachGateMap calls each with the map literals of a file whose keys are gates and whose value type satisfies isValue.
func eachGateMap(file *ast.File, isValue func(ast.Expr) bool, each func(*ast.CompositeLit) error) (failed error) {
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

// isSpec reports whether a type is featuregate.FeatureSpec or VersionedSpecs.
func isSpec(expression ast.Expr) bool {
	name := lastName(expression)
	return name == "FeatureSpec" || name == "VersionedSpecs"
}

// isGateList reports whether a type is []featuregate.Feature, the gates that a gate needs (pkg/features, from 1.35 on).
func isGateList(expression ast.Expr) bool {
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
			return fmt.Errorf("%s needs other gates, but is not a gate itself", name)
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

// specOf reads {Default: true, LockToDefault: true}. Of a list with versions it reads the last entry that applies to this release.
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
		// A default may be a constant of the package, such as contextualLoggingDefault.
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
		return "", fmt.Errorf("%s: no constant %s", p.path, name)
	}
	return word, nil
}

// versionOf returns the minor in Version: version.MustParse("1.34").
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
