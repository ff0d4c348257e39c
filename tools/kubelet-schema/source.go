package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Sources loads the Go packages of one Kubernetes release.
type Sources struct {
	version  string // 1.34.4
	modules  map[string]string
	packages map[string]*Package
}

// Package is a parsed Go package, without type checking.
type Package struct {
	path  string
	files []*ast.File
	src   *Sources
}

func newSources(version string) *Sources {
	return &Sources{version: version, modules: map[string]string{}, packages: map[string]*Package{}}
}

func minorOf(version string) int {
	minor, _ := strconv.Atoi(strings.Split(version, ".")[1])
	return minor
}

// moduleOf returns the module and the version of a package. Kubernetes 1.x.y publishes its other k8s.io modules as v0.x.y. The go.mod of
// k8s.io/kubernetes has the versions of all other modules.
func (s *Sources) moduleOf(pkg string) (path, version string, err error) {
	if strings.HasPrefix(pkg, "k8s.io/") {
		path = strings.Join(strings.SplitN(pkg, "/", 3)[:2], "/")
		if path == "k8s.io/kubernetes" {
			return path, "v" + s.version, nil
		}
		return path, "v0." + strings.TrimPrefix(s.version, "1."), nil
	}
	kubernetes, err := s.module("k8s.io/kubernetes", "v"+s.version)
	if err != nil {
		return "", "", err
	}
	requirements, err := os.ReadFile(filepath.Join(kubernetes, "go.mod"))
	if err != nil {
		return "", "", err
	}
	for _, match := range requirement.FindAllStringSubmatch(string(requirements), -1) {
		if strings.HasPrefix(pkg+"/", match[1]+"/") && len(match[1]) > len(path) {
			path, version = match[1], match[2]
		}
	}
	if path == "" {
		return "", "", fmt.Errorf("the go.mod of Kubernetes %s has no module with the package %s", s.version, pkg)
	}
	return path, version, nil
}

var requirement = regexp.MustCompile(`(?m)^\t(\S+) (v\S+)`)

// module downloads a module and returns its folder.
func (s *Sources) module(path, version string) (string, error) {
	if folder, ok := s.modules[path]; ok {
		return folder, nil
	}
	command := exec.Command("go", "mod", "download", "-json", path+"@"+version)
	command.Dir = os.TempDir() // outside of any Go module, whose go.mod could change the version
	output, err := command.Output()
	var answer struct{ Dir, Error string }
	if json.Unmarshal(output, &answer) != nil || answer.Error != "" {
		return "", fmt.Errorf("cannot download %s %s: %s", path, version, answer.Error)
	}
	if err != nil {
		return "", err
	}
	s.modules[path] = answer.Dir
	return answer.Dir, nil
}

// load parses a package, without its tests and its files for Windows.
func (s *Sources) load(path string) (*Package, error) {
	if loaded, ok := s.packages[path]; ok {
		return loaded, nil
	}
	module, version, err := s.moduleOf(path)
	if err != nil {
		return nil, err
	}
	folder, err := s.module(module, version)
	if err != nil {
		return nil, err
	}
	names, err := filepath.Glob(filepath.Join(folder, strings.TrimPrefix(path, module), "*.go"))
	if err != nil || len(names) == 0 {
		return nil, fmt.Errorf("%s %s has no package %s", module, version, path)
	}
	loaded := &Package{path: path, src: s}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_windows.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		loaded.files = append(loaded.files, file)
	}
	s.packages[path] = loaded
	return loaded, nil
}

// imported returns the package that a file imports under a name.
func (p *Package) imported(file *ast.File, name string) (*Package, error) {
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if spec.Name != nil && spec.Name.Name == name || spec.Name == nil && filepath.Base(path) == name {
			return p.src.load(path)
		}
	}
	return nil, fmt.Errorf("%s: a file uses %s and does not import it", p.path, name)
}

// typeSpec returns the declaration of a type and its file.
func (p *Package) typeSpec(name string) (*ast.TypeSpec, *ast.File) {
	for _, file := range p.files {
		for _, declaration := range file.Decls {
			if group, ok := declaration.(*ast.GenDecl); ok && group.Tok == token.TYPE {
				for _, spec := range group.Specs {
					if spec := spec.(*ast.TypeSpec); spec.Name.Name == name {
						return spec, file
					}
				}
			}
		}
	}
	return nil, nil
}

// definitions calls each with the constants of the package that have a value, and their declared types.
func (p *Package) definitions(each func(name string, typeOf, value ast.Expr)) {
	for _, file := range p.files {
		for _, declaration := range file.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				spec := spec.(*ast.ValueSpec)
				for i, value := range spec.Values {
					each(spec.Names[i].Name, spec.Type, value)
				}
			}
		}
	}
}

// text returns the value of a string: a literal, a constant of the package, or a constant of an imported package.
func (p *Package) text(file *ast.File, expression ast.Expr) (string, error) {
	definer := p
	switch expression := expression.(type) {
	case *ast.BasicLit:
		return strconv.Unquote(expression.Value)
	case *ast.SelectorExpr:
		imported, err := p.imported(file, expression.X.(*ast.Ident).Name)
		if err != nil {
			return "", err
		}
		definer = imported
	}
	return definer.constant(lastName(expression))
}

// constants calls each with the string constants of the package and their declared types, "" for none.
func (p *Package) constants(each func(name, typeName, value string)) {
	p.definitions(func(name string, typeOf, value ast.Expr) {
		typeName := lastName(typeOf)
		if conversion, ok := value.(*ast.CallExpr); ok && len(conversion.Args) == 1 { // Feature("Name")
			typeName, value = lastName(conversion.Fun), conversion.Args[0]
		}
		if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, _ := strconv.Unquote(literal.Value)
			each(name, typeName, text)
		}
	})
}

// constant returns the value of a string constant.
func (p *Package) constant(name string) (string, error) {
	found, value := false, ""
	p.constants(func(constant, _, text string) {
		if constant == name {
			found, value = true, text
		}
	})
	if !found {
		return "", fmt.Errorf("%s: no string constant %s", p.path, name)
	}
	return value, nil
}

// hasMethod reports whether a type has a method, by value or pointer.
func (p *Package) hasMethod(typeName, method string) bool {
	for _, file := range p.files {
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Recv == nil || function.Name.Name != method {
				continue
			}
			receiver := function.Recv.List[0].Type
			if star, ok := receiver.(*ast.StarExpr); ok {
				receiver = star.X
			}
			if named, ok := receiver.(*ast.Ident); ok && named.Name == typeName {
				return true
			}
		}
	}
	return false
}
