package main

import (
	"fmt"
	"go/ast"
	"strings"
)

// flagFunctions register the kubelet's flags. What a flag sets is a field of KubeletConfiguration, or of KubeletFlags; the latter has fields
// of the same name where the flag was there first (SeccompDefault).
var flagFunctions = []struct{ path, prefix string }{
	{"k8s.io/kubernetes/cmd/kubelet/app/options", ""},
	{"k8s.io/kubernetes/pkg/kubelet/config", ""},
	{"k8s.io/component-base/logs/api/v1", "Logging."},
}

// readFlags collects the flags of a release with the JSON path of their configuration field, "" when they have none.
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
		return nil, fmt.Errorf("only %d flags were found", len(flags))
	}
	return flags, nil
}

// takesConfig tells whether a function registers the flags of a configuration: those must all have a field.
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

// registered recognises fs.StringVar(&target, "name", …), fs.Var(value, "name", …) and cadvisor's register(global, local, "name"). The name may be a
// constant.
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
			if named, ok := call.Args[2].(*ast.Ident); ok && named.Name == "globalName" { // one of these functions calls the other
				return "", nil, nil
			}
			name, err = p.text(file, call.Args[2])
			return strings.ReplaceAll(name, "_", "-"), nil, err
		}
	}
	return "", nil, nil
}

// goPath finds A.B in an expression such as &c.A.B.Duration, NewX(&c.A.B) or (*string)(&c.A.B).
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

// jsonPath turns a Go path within KubeletConfiguration into that of its JSON, "" when it is not one. Internal and published types have the
// same Go names.
func (t *Types) jsonPath(goPath string) (string, error) {
	structure, names := "KubeletConfiguration", []string{}
	for _, part := range strings.Split(goPath, ".") {
		if _, more := t.Structs[structure]; !more {
			if part == "Duration" { // metav1.Duration's own
				continue
			}
			return "", fmt.Errorf("no field %s of %s", part, structure)
		}
		field := fieldBy(t.Structs[structure], part)
		if field == nil {
			return "", fmt.Errorf("no field %s of %s", part, structure)
		}
		names = append(names, field.Name)
		structure = field.Type
	}
	return strings.Join(names, "."), nil
}

func fieldBy(fields []Field, goName string) *Field {
	for i := range fields {
		if fields[i].Go == goName {
			return &fields[i]
		}
	}
	return nil
}
