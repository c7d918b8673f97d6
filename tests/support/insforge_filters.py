"""PostgREST's filters as conditions in SQL: those of columns, and trees of them in `and` and `or`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from psycopg import sql

_OPERATORS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "like": "like"}
_NO_FILTERS = frozenset({"select", "order", "limit", "offset", "on_conflict"})
_TREE = re.compile(r"(not\.)?(and|or)\((.*)\)", re.DOTALL)


class Refusal(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "details": None, "hint": None, **more}


def where(table: str, columns: Mapping[str, str], query: Mapping[str, str]) -> tuple[sql.Composable, list[Any]]:
    """Return the condition that the filters of a query stand for, and its values; raise `Refusal` as PostgREST does."""
    values: list[Any] = []
    found = [
        _tree(table, columns, f"{name}{said}", values)
        if name in ("and", "or")
        else _column(table, columns, name, said, values)
        for name, said in query.items()
        if name not in _NO_FILTERS
    ]
    return sql.SQL(" and ").join(found) if found else sql.SQL("true"), values


def _tree(table: str, columns: Mapping[str, str], said: str, values: list[Any]) -> sql.Composable:
    tree = _TREE.fullmatch(said)
    if tree is None:
        name, _, condition = said.partition(".")
        return _column(table, columns, name, condition, values)
    parts = [_tree(table, columns, part, values) for part in _parts(tree[3])]
    whole = sql.SQL("({})").format(sql.SQL(f" {tree[2]} ").join(parts))
    return sql.SQL("not {}").format(whole) if tree[1] else whole


def _parts(said: str) -> list[str]:
    """Return what stands between the commas that are neither quoted nor in brackets."""
    parts, depth, quoted = [""], 0, False
    for letter in said:
        quoted ^= letter == '"'
        depth += 0 if quoted else {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _column(table: str, columns: Mapping[str, str], name: str, said: str, values: list[Any]) -> sql.Composable:
    if name not in columns:
        raise Refusal(400, "42703", f"column {table}.{name} does not exist")
    negated = said.startswith("not.")
    operator, _, value = said.removeprefix("not.").partition(".")
    column = sql.Identifier(name)
    if operator == "in":
        condition: sql.Composable = sql.SQL("{}::text = any(%s)").format(column)
        values.append(value.strip("()").split(","))
    elif operator == "is" and value == "null":
        condition = sql.SQL("{} is null").format(column)
    elif operator in _OPERATORS:
        condition = sql.SQL("{} {} %s").format(column, sql.SQL(_OPERATORS[operator]))
        values.append(value.strip('"').replace("*", "%") if operator == "like" else value.strip('"'))
    else:
        raise Refusal(400, "PGRST100", f'"failed to parse filter ({said})" (line 1, column 1)')
    return sql.SQL("not ({})").format(condition) if negated else condition
