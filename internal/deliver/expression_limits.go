package deliver

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// builtins are those of expr-lang/expr whose cost is bounded by the data: the
// loops among them pay for each turn.
var builtins = []string{
	"all", "any", "none", "one", "filter", "map", "find", "findLast", "count", "sum", "sortBy",
	"len", "first", "last", "round", "floor", "ceil", "abs", "int", "float",
}

// limits is the visitor that keeps expressions within bounds: it refuses what
// cannot be bounded, makes each turn of a loop pay, and joins texts by a
// function that counts.
type limits struct {
	refusal string
	at      file.Location
}

func (l *limits) refuse(node ast.Node, format string, args ...any) {
	if l.refusal == "" {
		l.refusal, l.at = fmt.Sprintf(format, args...), node.Location()
	}
}

// Visit implements [ast.Visitor].
func (l *limits) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode,
		*ast.UnaryNode, *ast.ChainNode, *ast.SliceNode, *ast.PointerNode, *ast.ConditionalNode:
	case *ast.IdentifierNode:
		if strings.HasPrefix(n.Value, "_") || strings.HasPrefix(n.Value, "$") {
			l.refuse(n, "unknown name %s; the names are %s", n.Value, knownNames)
		}
	case *ast.MemberNode:
		if n.Node.Type().Kind() == reflect.String {
			l.refuse(n, "a text has no members; a part of it is written text[0:3]")
		}
	case *ast.CallNode:
		l.call(n)
	case *ast.BuiltinNode:
		if !slices.Contains(builtins, n.Name) {
			l.refuse(n, "%s cannot be used here", n.Name)
		}
	case *ast.PredicateNode:
		n.Node = &ast.SequenceNode{Nodes: []ast.Node{
			&ast.CallNode{Callee: &ast.IdentifierNode{Value: "_step"}}, n.Node,
		}}
	case *ast.ArrayNode:
		for _, item := range n.Nodes {
			switch item.(type) {
			case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.UnaryNode:
			default:
				l.refuse(n, "a list may hold constants only")
			}
		}
	case *ast.BinaryNode:
		l.binary(node, n)
	default:
		l.refuse(n, "variables, maps and several steps cannot be used here")
	}
}

func (l *limits) call(n *ast.CallNode) {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		l.refuse(n, "only the functions of templates can be called")
		return
	}
	if callee.Value != "date" || len(n.Arguments) != 2 {
		return
	}
	if layout, ok := n.Arguments[1].(*ast.StringNode); ok && !strings.Contains(layout.Value, "%") {
		l.refuse(n, "%s", errLayout)
	}
}

var errLayout = errors.New(`the form of a date is written with % codes, such as "%d %B %Y"`)

func (l *limits) binary(node *ast.Node, n *ast.BinaryNode) {
	switch n.Operator {
	case "..", "matches":
		l.refuse(n, "the operator %s cannot be used here", n.Operator)
	case "==", "!=":
		// Comparing lists takes time that no step counts.
		for _, side := range []ast.Node{n.Left, n.Right} {
			switch side.Type().Kind() {
			case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
				if _, isNil := other(n, side).(*ast.NilNode); !isNil {
					l.refuse(n, "only single values can be compared")
				}
			}
		}
	case "+":
		name := ""
		switch left, right := n.Left.Type().Kind(), n.Right.Type().Kind(); {
		case left == reflect.String || right == reflect.String:
			name = "_append"
		case left == reflect.Interface || right == reflect.Interface:
			name = "_plus"
		default:
			return
		}
		ast.Patch(node, &ast.CallNode{
			Callee:    &ast.IdentifierNode{Value: name},
			Arguments: []ast.Node{n.Left, n.Right},
		})
	}
}

func other(n *ast.BinaryNode, side ast.Node) ast.Node {
	if side == n.Left {
		return n.Right
	}
	return n.Left
}
