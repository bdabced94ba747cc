"""Labs for a user without root: everything works in a user namespace; where that is forbidden, a sentence says so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kernel import nobody
from tests.kernel.playground_cli import needs_root, run

pytestmark = [needs_root, pytest.mark.real_root]
Installed = tuple[list[str], dict[str, str]]


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    """The lab command as an ordinary user can run it."""
    with nobody.installation("scapy") as (command, environment):
        yield [command[0], "-m", "minidock", "lab"], environment


def test_an_ordinary_user_does_a_lab(installed: Installed) -> None:
    lab, env = installed
    lab = [*nobody.BECOME, *lab]
    try:
        for words, code in ((("start", "03"), 0), (("check",), 1), (("solve",), 0), (("check",), 0)):
            done = run(*words, cli=lab, env=env, cwd="/")
            assert done.returncode == code, f"{words} {done.stdout}{done.stderr}"
        assert "Passed." in done.stdout
    finally:
        run("rm", "lab-03", cli=[*lab[:-1], "playground"], env=env, cwd="/")


def test_where_user_namespaces_are_forbidden_it_says_to_use_sudo(installed: Installed) -> None:
    lab, env = installed
    done = run("start", "01", cli=lab, env=env, cwd="/", preexec_fn=nobody.become_with_a_limit)
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr == ("minidock: ordinary users may make no playground here: user namespaces are forbidden\n"
                           "hint: sudo minidock lab start 01 or: sudo sysctl user.max_user_namespaces=10000\n")
    assert "01           A network namespace by hand\n" in run("list", cli=lab, env=env, cwd="/").stdout
