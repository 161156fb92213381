"""Join the parts of the verifier into the one file that goes into a bundle.

Invariants: the parts stand in the order of `PARTS`, without the imports of one another; what they
import from the standard library stands once, at the top; a name that two parts define is refused,
so joining changes no meaning.
"""

from __future__ import annotations

import ast
from importlib.resources import files

from admin.acceptance.verifier import PARTS
from node.errors import IntegrityFailure

_PACKAGE = "admin.acceptance.verifier"
_HEADER = '''#!/usr/bin/env python3
"""核验稀标验收证据包:只需 Python 3.9 以上,不需安装任何软件。
Verify a Xibiao acceptance bundle: needs Python 3.9 or later and nothing else.

    python3 verify.py [证据包目录或 zip / bundle folder or zip]

Signatures are checked by the package `cryptography` where it is installed, else in Python.
"""

'''
_FOOTER = '\n\nif __name__ == "__main__":\n    sys.exit(main())\n'


def single_file() -> str:
    """Return the source of `verify.py`."""
    imports: dict[str, None] = {}
    bodies: list[str] = []
    owners: dict[str, str] = {}
    for part in PARTS:
        source = files(_PACKAGE).joinpath(f"{part}.py").read_text("utf-8")
        tree = ast.parse(source)
        for name in _defined(tree):
            if owners.setdefault(name, part) != part:
                raise IntegrityFailure(
                    f"核验程序的名称重复:{name}", f"{name} is defined in {owners[name]} and {part}"
                )
        title = (ast.get_docstring(tree) or "").partition("\n")[0]
        bodies.append(f"# {'-' * 97}\n# {title}\n\n{_body(source, tree, imports)}")
    head = "from __future__ import annotations\n\n" + "\n".join(sorted(imports)) + "\n\n"
    return _HEADER + head + "\n\n".join(bodies) + _FOOTER


def _defined(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                names.append(node.name)
            case ast.Assign():
                for target in node.targets:
                    names += [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
    return names


def _body(source: str, tree: ast.Module, imports: dict[str, None]) -> str:
    """Return a part without docstring and imports; collect the imports."""
    lines = source.splitlines()
    begins = 0
    for node in tree.body:
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_docstring and not isinstance(node, ast.Import | ast.ImportFrom):
            break
        begins = node.end_lineno or begins
        is_own = isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PACKAGE)
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not is_docstring and not is_own and not is_future:
            imports[ast.unparse(node)] = None
    return "\n".join(lines[begins:]).strip("\n") + "\n"
