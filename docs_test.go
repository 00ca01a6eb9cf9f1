package websocket

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Every exported name of the module has a comment that says what it is.
func TestEveryExportedNameIsDocumented(t *testing.T) {
	for _, p := range listPackages(t) {
		names, err := filepath.Glob(filepath.Join(p.dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		if len(files) == 0 {
			continue // tests only
		}
		d, err := doc.NewFromFiles(fset, files, modulePath+"/"+p.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range undocumented(d) {
			t.Errorf("%s: %s has no comment", p.dir, name)
		}
	}
}

// undocumented lists the exported names of a package that have no comment of
// their own and stand in no group that has one. The constants of a type are
// such a group, and a method that an interface everybody knows asks for needs
// no comment. Of the fields of a struct the type's comment may say enough.
func undocumented(p *doc.Package) (names []string) {
	miss := func(name, comment string) {
		if strings.TrimSpace(comment) == "" {
			names = append(names, name)
		}
	}
	miss("the package", p.Doc)
	functions := p.Funcs
	values := append(p.Consts, p.Vars...)
	for _, typ := range p.Types {
		miss(typ.Name, typ.Doc)
		values = append(values, typ.Vars...)
		functions = append(functions, typ.Funcs...)
		for _, m := range typ.Methods {
			if ast.IsExported(m.Name) && !wellKnown[m.Name] {
				miss(typ.Name+"."+m.Name, m.Doc)
			}
		}
	}
	for _, f := range functions {
		miss(f.Name, f.Doc)
	}
	for _, v := range values {
		for _, spec := range v.Decl.Specs {
			s := spec.(*ast.ValueSpec)
			if s.Doc != nil || s.Comment != nil || v.Doc != "" {
				continue
			}
			for _, name := range s.Names {
				if name.IsExported() {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

var wellKnown = map[string]bool{
	"Error": true, "Is": true, "As": true, "Unwrap": true, "String": true,
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true,
}
