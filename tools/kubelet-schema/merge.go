package main

import (
	"fmt"
	"slices"
	"sort"
)

// Release is the schema of one Kubernetes release.
type Release struct {
	Version string
	Types   *Types
	Gates   map[string]Gate
	Flags   map[string]string // name to JSON path
}

// Read reads the sources of one release.
func Read(version string) (*Release, error) {
	src := newSources(version)
	api, err := src.load("k8s.io/kubelet/config/v1beta1")
	if err != nil {
		return nil, err
	}
	types := newTypes()
	if _, err := types.named(api, "KubeletConfiguration"); err != nil {
		return nil, err
	}
	gates, err := readGates(src)
	if err != nil {
		return nil, err
	}
	flags, err := readFlags(src, types)
	if err != nil {
		return nil, err
	}
	return &Release{version, types, gates, flags}, nil
}

// Span is the first and the last minor that has something. 0 means that all earlier or later supported minors have it.
type Span struct{ Since, Until int }

// Schema is the schema of all releases. Its lists are in the order of the output.
type Schema struct {
	Releases []string
	Structs  []Named[[]Named[FieldOf]]
	Enums    []Named[[]Named[Span]]
	Gates    []Named[GateOf]
	Flags    []Named[FlagOf]
}

type Named[T any] struct {
	Name string
	Of   T
}

type FieldOf struct {
	Field
	Span
}

type GateOf struct {
	Span
	Locked int // the first minor that accepts only Value, or 0
	Value  bool
	Needs  []Named[Span]
	On     *Span // the minors in which it is on by default, or nil
}

type FlagOf struct {
	Span
	Field string
}

// Merge merges the schemas of releases, oldest first. It fails when the schema cannot express a difference.
func Merge(releases []*Release) (*Schema, error) {
	newest := releases[len(releases)-1]
	schema := &Schema{}
	for _, release := range releases {
		schema.Releases = append(schema.Releases, release.Version)
	}

	for _, name := range unionOf(releases, func(r *Release) []string { return keys(r.Types.Structs) }) {
		order := []string{}
		fields := map[string]Field{}
		for _, release := range slices.Backward(releases) { // the order of the newest release, then removed fields
			for _, field := range release.Types.Structs[name] {
				known, seen := fields[field.Name]
				if seen && known.Type != field.Type {
					return nil, fmt.Errorf("%s.%s is %s in %s and %s later", name, field.Name, field.Type, release.Version, known.Type)
				}
				if !seen {
					fields[field.Name], order = field, append(order, field.Name)
				}
			}
		}
		var merged []Named[FieldOf]
		for _, field := range order {
			span, err := spanOf(releases, func(r *Release) bool {
				_, isThere := r.Types.Structs[name]
				// A release without the struct does not count: the field that holds the struct says since when it exists.
				return !isThere || slices.ContainsFunc(r.Types.Structs[name], func(f Field) bool { return f.Name == field })
			})
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", name, field, err)
			}
			merged = append(merged, Named[FieldOf]{field, FieldOf{fields[field], span}})
		}
		schema.Structs = append(schema.Structs, Named[[]Named[FieldOf]]{name, merged})
	}

	for _, name := range unionOf(releases, func(r *Release) []string { return keys(r.Types.Enums) }) {
		var values []Named[Span]
		for _, value := range unionOf(releases, func(r *Release) []string { return r.Types.Enums[name] }) {
			span, err := spanOf(releases, func(r *Release) bool {
				return r.Types.Enums[name] == nil || slices.Contains(r.Types.Enums[name], value)
			})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", value, err)
			}
			values = append(values, Named[Span]{value, span})
		}
		schema.Enums = append(schema.Enums, Named[[]Named[Span]]{name, values})
	}

	for _, name := range unionOf(releases, func(r *Release) []string { return keys(r.Gates) }) {
		span, err := spanOf(releases, func(r *Release) bool { _, ok := r.Gates[name]; return ok })
		if err != nil {
			return nil, fmt.Errorf("feature gate %s: %w", name, err)
		}
		gate := GateOf{Span: span}
		for _, release := range releases {
			known, ok := release.Gates[name]
			switch {
			case !ok:
			case known.Locked && gate.Locked == 0:
				gate.Locked, gate.Value = minorOf(release.Version), known.Default
			case gate.Locked != 0 && (!known.Locked || known.Default != gate.Value):
				return nil, fmt.Errorf("feature gate %s is locked in 1.%d and otherwise in %s", name, gate.Locked, release.Version)
			}
		}
		for _, needed := range unionOf(releases, func(r *Release) []string { return r.Gates[name].Needs }) {
			span, err := spanOf(releases, func(r *Release) bool { return slices.Contains(r.Gates[name].Needs, needed) })
			if err != nil {
				return nil, fmt.Errorf("feature gate %s needs %s: %w", name, needed, err)
			}
			gate.Needs = append(gate.Needs, Named[Span]{needed, span})
		}
		if isOn := func(r *Release) bool { return r.Gates[name].Default }; slices.ContainsFunc(releases, isOn) {
			span, err := spanOf(releases, isOn)
			if err != nil {
				return nil, fmt.Errorf("feature gate %s is on by default: %w", name, err)
			}
			gate.On = &span
		}
		schema.Gates = append(schema.Gates, Named[GateOf]{name, gate})
	}

	for _, name := range unionOf(releases, func(r *Release) []string { return keys(r.Flags) }) {
		span, err := spanOf(releases, func(r *Release) bool { _, ok := r.Flags[name]; return ok })
		if err != nil {
			return nil, fmt.Errorf("flag --%s: %w", name, err)
		}
		field := newest.Flags[name]
		for _, release := range releases {
			if path, ok := release.Flags[name]; ok {
				field = path
			}
		}
		schema.Flags = append(schema.Flags, Named[FlagOf]{name, FlagOf{span, field}})
	}
	return schema, nil
}

// spanOf returns the minors in which something is there. It fails when there is a gap.
func spanOf(releases []*Release, isThere func(*Release) bool) (Span, error) {
	span, state := Span{}, "before"
	for i, release := range releases {
		switch there := isThere(release); {
		case there && state == "before":
			state = "in"
			if i > 0 {
				span.Since = minorOf(release.Version)
			}
		case there && state == "after":
			return span, fmt.Errorf("it was removed and came back in %s, which a span cannot express", release.Version)
		case !there && state == "in":
			state, span.Until = "after", minorOf(releases[i-1].Version)
		}
	}
	return span, nil
}

func keys[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	return names
}

// unionOf returns the sorted names that any release has.
func unionOf(releases []*Release, of func(*Release) []string) []string {
	seen := map[string]bool{}
	for _, release := range releases {
		for _, name := range of(release) {
			seen[name] = true
		}
	}
	names := keys(seen)
	sort.Strings(names)
	return names
}
