"""The last look at an emitted module: what no template writes does not leave the compiler."""

from __future__ import annotations

import pytest

from specc.emit.emit import UnsafeModule, check

PACKAGES = frozenset(("numpy",))

REFUSED = {
    "at the top": "import socket",
    "a submodule": "import socket.socket",
    "behind another": "import math, socket",
    "from": "from socket import socket",
    "of its own package": "from . import socket",
    "another target's": "import torch",
    "behind a semicolon": "x = 1; import socket",
    "in a function": "def f():\n    import socket",
    "in a method": "class A:\n    def f(self):\n        import socket",
    "in an async function": "async def f():\n    import socket",
    "in a branch": "if x:\n    pass\nelif y:\n    import socket",
    "in an else": "if x:\n    pass\nelse:\n    import socket",
    "in a loop": "for x in y:\n    import socket",
    "after a loop": "while x:\n    pass\nelse:\n    import socket",
    "in a context": "with x:\n    import socket",
    "in a try": "try:\n    import socket\nexcept OSError:\n    pass",
    "in a handler": "try:\n    pass\nexcept OSError:\n    import socket",
    "in the end": "try:\n    pass\nfinally:\n    import socket",
    "in a case": "match x:\n    case 1:\n        import socket",
    "a call": "eval('1')",
    "a name": "f = [exec]",
    "a call in a call": "f(lambda: __import__('socket'))",
    "another letter": "x = 'é'",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_no_template_writes_is_refused(text: str) -> None:
    with pytest.raises(UnsafeModule):
        check(f"import math\n\n{text}\n", PACKAGES)


@pytest.mark.parametrize(
    "text",
    [
        "import numpy.linalg\nfrom numpy import zeros",
        "SPEC = 'eval exec __import__ import socket'",
        "# eval, exec: import socket",
        "x.eval()",
        "evaluate(executed)",
    ],
)
def test_what_one_may_write_is_not(text: str) -> None:
    check(f"{text}\n", PACKAGES)


def test_what_does_not_parse_is_refused() -> None:
    with pytest.raises(SyntaxError):
        check("x = (\n", PACKAGES)
