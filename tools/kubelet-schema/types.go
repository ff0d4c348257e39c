package main

import (
	"fmt"
	"go/ast"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// Field is a field of a struct.
type Field struct {
	Name    string // in JSON
	Go      string // name in Go
	Type    string // see README.md
	Default string // from the comment in the sources, or ""
}

// Types are the structs and the enums by name. An enum is a named string type with constants.
type Types struct {
	Structs map[string][]Field
	Enums   map[string][]string
	origin  map[string]string
}

// scalars are the types with an UnmarshalJSON method.
var scalars = map[string]string{
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":        "duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":            "time",
	"k8s.io/apimachinery/pkg/api/resource.Quantity":        "quantity",
	"k8s.io/apimachinery/pkg/api/resource.QuantityValue":   "quantity",
	"k8s.io/component-base/logs/api/v1.TimeOrMetaDuration": "durationOrNanoseconds",
}

func newTypes() *Types {
	return &Types{Structs: map[string][]Field{}, Enums: map[string][]string{}, origin: map[string]string{}}
}

// named returns a named type as the schema writes it, and adds its declaration to the schema.
func (t *Types) named(p *Package, name string) (string, error) {
	switch name {
	case "bool", "string", "int32", "int64", "uint32", "float64":
		return name, nil
	}
	if scalar, ok := scalars[p.path+"."+name]; ok {
		return scalar, nil
	}
	spec, file := p.typeSpec(name)
	if spec == nil {
		return "", fmt.Errorf("%s: no type %s", p.path, name)
	}
	if p.hasMethod(name, "UnmarshalJSON") {
		return "", fmt.Errorf("%s.%s has an UnmarshalJSON method: add it to scalars in types.go", p.path, name)
	}
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		underlying, err := t.expression(p, file, spec.Type)
		if underlying != "string" || err != nil {
			return underlying, err
		}
		if name == "ResourceName" { // other values than its constants are valid, too
			return "string", nil
		}
		var values []string
		p.constants(func(_, typeName, value string) {
			if typeName == name {
				values = append(values, value)
			}
		})
		if len(values) == 0 {
			return "string", nil
		}
		t.Enums[name] = values
		return name, t.claim(p, name)
	}
	if err := t.claim(p, name); err != nil {
		return "", err
	}
	if _, done := t.Structs[name]; done {
		return name, nil
	}
	t.Structs[name] = nil // for types that contain themselves
	fields, err := t.fields(p, file, structure)
	t.Structs[name] = fields
	return name, err
}

// claim fails for two types of the same name from different packages.
func (t *Types) claim(p *Package, name string) error {
	if origin, ok := t.origin[name]; ok && origin != p.path {
		return fmt.Errorf("%s and %s both have a type %s, and the schema has one name for both", origin, p.path, name)
	}
	t.origin[name] = p.path
	return nil
}

func (t *Types) expression(p *Package, file *ast.File, expression ast.Expr) (string, error) {
	switch expression := expression.(type) {
	case *ast.StarExpr:
		return t.expression(p, file, expression.X)
	case *ast.Ident:
		return t.named(p, expression.Name)
	case *ast.SelectorExpr:
		imported, err := p.imported(file, expression.X.(*ast.Ident).Name)
		if err != nil {
			return "", err
		}
		return t.named(imported, expression.Sel.Name)
	case *ast.ArrayType:
		element, err := t.expression(p, file, expression.Elt)
		return "[]" + element, err
	case *ast.MapType:
		if key, err := t.expression(p, file, expression.Key); err != nil || key != "string" {
			return "", fmt.Errorf("%s: cannot read a map with keys of type %s (%v)", p.path, key, err)
		}
		value, err := t.expression(p, file, expression.Value)
		return "map " + value, err
	}
	return "", fmt.Errorf("%s: cannot read the type %T", p.path, expression)
}

func (t *Types) fields(p *Package, file *ast.File, structure *ast.StructType) ([]Field, error) {
	var fields []Field
	for _, field := range structure.Fields.List {
		name, options := jsonTag(field)
		if name == "-" {
			continue
		}
		if strings.Contains(options, "inline") || len(field.Names) == 0 {
			inlined, err := t.expression(p, file, field.Type)
			if err != nil {
				return nil, err
			}
			fields = append(fields, t.Structs[inlined]...)
			delete(t.Structs, inlined) // no field has the inlined struct's type
			delete(t.origin, inlined)
			continue
		}
		if name == "" {
			return nil, fmt.Errorf("%s: field %s has no JSON name", p.path, field.Names[0].Name)
		}
		kind, err := t.expression(p, file, field.Type)
		if err != nil {
			return nil, err
		}
		fields = append(fields, Field{Name: name, Go: field.Names[0].Name, Type: kind, Default: defaultOf(field.Doc.Text())})
	}
	return fields, nil
}

func jsonTag(field *ast.Field) (name, options string) {
	if field.Tag == nil {
		return "", ""
	}
	tag, _ := strconv.Unquote(field.Tag.Value)
	name, options, _ = strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	return name, options
}

var defaultLine = regexp.MustCompile(`(?m)^Default: *("[^"\n]*"|true|false|-?[0-9.]+)(?: |\.?$)`)

// defaultOf returns the default in a comment, if it is a plain value.
func defaultOf(comment string) string {
	if match := defaultLine.FindStringSubmatch(comment); match != nil && match[1] != `""` {
		return match[1]
	}
	return ""
}
