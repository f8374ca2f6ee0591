"""What one piece of a program may be changed into. Pure: syntax trees in, syntax trees out.

Each change is one a hurried programmer might make: the boundary of a comparison, a condition turned
round, the wrong one of `and` and `or`, a keyword argument or a statement left out, a constant that
is one off. What no caller can tell apart is not tried: annotations, docstrings, decorators.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPARISONS: Final[Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: Final[Mapping[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}
NAMES: Final[Mapping[str, str]] = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "sorted": "list",
    "intersection": "union",
    "difference": "union",
    "isdisjoint": "issubset",
}


def expressions(node: ast.expr) -> Iterator[ast.expr]:
    """What an expression may be changed into."""
    match node:
        case ast.Compare():
            yield from _compared_otherwise(node)
        case ast.BoolOp(op=op, values=values):
            other = ast.Or() if isinstance(op, ast.And) else ast.And()
            yield ast.BoolOp(other, values)
            yield from (_less(node, number) for number in range(len(values)))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(left, op, right) if type(op) in ARITHMETIC:
            yield ast.BinOp(left, ARITHMETIC[type(op)](), right)
        case ast.IfExp(test, body, orelse):
            yield from (
                (body, orelse) if _is_changed_itself(test) else (ast.IfExp(test, orelse, body),)
            )
        case ast.Name() | ast.Attribute():
            yield from _named_otherwise(node)
        case ast.Call(keywords=keywords):
            yield from (
                ast.Call(node.func, node.args, [one for one in keywords if one is not left_out])
                for left_out in keywords
            )
        case ast.JoinedStr():
            yield ast.Constant("")
        case ast.Constant(value):
            yield from map(ast.Constant, _other_values(value))
        case _:
            return


def _compared_otherwise(node: ast.Compare) -> Iterator[ast.expr]:
    for number, op in enumerate(node.ops):
        for other in COMPARISONS[type(op)]:
            ops = [*node.ops[:number], other(), *node.ops[number + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)


def _named_otherwise(node: ast.Name | ast.Attribute) -> Iterator[ast.expr]:
    match node:
        case ast.Name(id=name, ctx=ast.Load()) if name in NAMES:
            yield ast.Name(NAMES[name], ast.Load())
        case ast.Attribute(value, name, ast.Load()) if name in NAMES:
            yield ast.Attribute(value, NAMES[name], ast.Load())
        case _:
            return


def _less(node: ast.BoolOp, number: int) -> ast.expr:
    """The same without one of its operands."""
    left = [*node.values[:number], *node.values[number + 1 :]]
    return left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _other_values(value: object) -> Iterator[bool | int | float | str]:
    match value:
        case bool():
            yield not value
        case int():
            yield value + 1
        case float():
            yield value + 0.5
        case str():
            yield "" if value else "something"
        case _:
            return


def statements(node: ast.stmt) -> Iterator[ast.stmt]:
    """What a statement may be changed into."""
    match node:
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Expr() | ast.Continue() | ast.Break() | ast.Raise():
            yield ast.Pass()
        case ast.AugAssign(target, op, value):
            yield ast.Pass()
            if type(op) in ARITHMETIC:
                yield ast.AugAssign(target, ARITHMETIC[type(op)](), value)
        case ast.If(test, body, orelse) if not _is_changed_itself(test):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case _:
            return


def filters(node: ast.comprehension) -> Iterator[ast.comprehension]:
    """A comprehension without one of its conditions, and one that picks what the other left."""
    for number, test in enumerate(node.ifs):
        others = [*node.ifs[:number], *node.ifs[number + 1 :]]
        yield ast.comprehension(node.target, node.iter, others, node.is_async)
        if not _is_changed_itself(test):
            turned = [*others, ast.UnaryOp(ast.Not(), test)]
            yield ast.comprehension(node.target, node.iter, turned, node.is_async)


def _is_changed_itself(test: ast.expr) -> bool:
    """Whether a condition is turned round already where it stands."""
    return isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)
