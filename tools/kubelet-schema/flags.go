package main

import (
	"fmt"
	"go/ast"
	"strings"
)

// flagFunctions are the packages whose functions register the kubelet's flags. A flag sets a field of KubeletConfiguration or of
// KubeletFlags. Some fields of KubeletFlags have the name of a KubeletConfiguration field, such as SeccompDefault.
var flagFunctions = []struct{ path, prefix string }{
	{"k8s.io/kubernetes/cmd/kubelet/app/options", ""},
	{"k8s.io/kubernetes/pkg/kubelet/config", ""},
	{"k8s.io/component-base/logs/api/v1", "Logging."},
}

// readFlags returns the flags of a release, each with the JSON path of the field that it sets, or "".
func readFlags(src *Sources, types *Types) (map[string]string, error) {
	flags := map[string]string{"version": "", "help": ""}
	for _, source := range flagFunctions {
		p, err := src.load(source.path)
		if err != nil {
			return nil, err
		}
		for _, file := range p.files {
			for _, declaration := range file.Decls {
				function, ok := declaration.(*ast.FuncDecl)
				if !ok {
					continue
				}
				config := takesConfig(function)
				var failed error
				ast.Inspect(function, func(node ast.Node) bool {
					call, ok := node.(*ast.CallExpr)
					if !ok || failed != nil {
						return failed == nil
					}
					name, target, err := p.registered(file, call)
					if err != nil {
						failed = err
					} else if name != "" {
						field, err := types.jsonPath(source.prefix + goPath(target))
						if err != nil && config {
							failed = fmt.Errorf("flag --%s: %w", name, err)
						}
						flags[name] = field
					}
					return true
				})
				if failed != nil {
					return nil, failed
				}
			}
		}
	}
	if len(flags) < 100 {
		return nil, fmt.Errorf("found only %d flags: the sources register flags in a way that flags.go does not read", len(flags))
	}
	return flags, nil
}

// takesConfig reports whether a function registers the flags of a configuration. Each of these flags must have a field.
func takesConfig(function *ast.FuncDecl) bool {
	for _, parameter := range function.Type.Params.List {
		kind := parameter.Type
		if star, ok := kind.(*ast.StarExpr); ok {
			kind = star.X
		}
		switch lastName(kind) {
		case "KubeletConfiguration", "LoggingConfiguration":
			return true
		}
	}
	return false
}

// registered returns the flag that a call registers: fs.StringVar(&target, "name", …), fs.Var(value, "name", …) or cadvisor's
// register(global, local, "name"). The name may be a constant.
func (p *Package) registered(file *ast.File, call *ast.CallExpr) (name string, target ast.Expr, err error) {
	switch function := call.Fun.(type) {
	case *ast.SelectorExpr:
		if on, ok := function.X.(*ast.Ident); !ok || on.Name != "fs" || len(call.Args) < 3 {
			return "", nil, nil
		}
		if method := function.Sel.Name; !strings.HasSuffix(method, "Var") && method != "VarP" {
			return "", nil, nil
		}
		name, err = p.text(file, call.Args[1])
		return name, call.Args[0], err
	case *ast.Ident:
		if (function.Name == "register" || function.Name == "registerDeprecated") && len(call.Args) >= 3 {
			if named, ok := call.Args[2].(*ast.Ident); ok && named.Name == "globalName" { // registerDeprecated calls register
				return "", nil, nil
			}
			name, err = p.text(file, call.Args[2])
			return strings.ReplaceAll(name, "_", "-"), nil, err
		}
	}
	return "", nil, nil
}

// goPath returns the path A.B.Duration of an expression such as &c.A.B.Duration, NewX(&c.A.B.Duration) or (*string)(&c.A.B).
func goPath(expression ast.Expr) string {
	path := ""
	if expression == nil {
		return path
	}
	ast.Inspect(expression, func(node ast.Node) bool {
		address, ok := node.(*ast.UnaryExpr)
		if !ok || path != "" {
			return path == ""
		}
		names := []string{}
		for at := address.X; ; {
			selector, ok := at.(*ast.SelectorExpr)
			if !ok {
				break
			}
			names = append([]string{selector.Sel.Name}, names...)
			at = selector.X
		}
		path = strings.Join(names, ".")
		return path == ""
	})
	return path
}

// jsonPath converts a Go path in KubeletConfiguration to its JSON path. The flags use the internal types, whose fields have the same Go names
// as those of the published types.
func (t *Types) jsonPath(goPath string) (string, error) {
	structure, names := "KubeletConfiguration", []string{}
	for _, part := range strings.Split(goPath, ".") {
		if _, more := t.Structs[structure]; !more {
			if part == "Duration" { // the field of metav1.Duration
				continue
			}
			return "", fmt.Errorf("%s has no field %s", structure, part)
		}
		field := fieldByGoName(t.Structs[structure], part)
		if field == nil {
			return "", fmt.Errorf("%s has no field %s", structure, part)
		}
		names = append(names, field.Name)
		structure = field.Type
	}
	return strings.Join(names, "."), nil
}

func fieldByGoName(fields []Field, goName string) *Field {
	for i := range fields {
		if fields[i].Go == goName {
			return &fields[i]
		}
	}
	return nil
}
