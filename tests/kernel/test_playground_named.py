"""Named playgrounds, who may have one, and the small programs in it.

Each named one is made in a playground around it, so that the machine keeps no names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel import nobody
from tests.kernel.playground_cli import ENVIRONMENT, HOME, inside, needs_root, program, run

__all__ = ["program"]
pytestmark = needs_root


def test_a_named_one_stays_until_it_is_removed(program: Path) -> None:
    out = inside(f"""
        PATH={program.parent}:$PATH; ip link add outer type bridge
        playground --name lab -- sh -c 'hostname; touch /run/mark; ip link add inner type bridge'
        playground enter lab -- sh -c 'ls /run/mark; echo $MINIDOCK_PLAYGROUND; ip -br link show inner' |
            cut -d" " -f1
        playground enter lab ip link show outer || echo "no outer, $?"
        playground enter lab -- curl -sS http://203.0.113.10
        cd /usr; playground enter lab pwd
        playground ls --format json
        playground --name lab || echo "again $?"
        playground rm lab
        playground enter lab || echo "gone $?"
        playground ls --format json; ps -e -ww -o args= | grep -c '[r]eaper'""")
    before, _, rest = out.partition("[\n")
    assert before.splitlines()[:5] == ["lab", "/run/mark", "lab", "inner", "no outer, 1"]
    assert before.splitlines()[5].startswith("hello")
    assert before.splitlines()[6] == "/usr"
    row, after = json.JSONDecoder().raw_decode("[\n" + rest)[0][0], rest.partition("]\n")[2]
    assert (row["name"], row["processes"]) == ("lab", 2)
    print("private memory of an idle named playground:", row["private_kb"], "kB")
    assert 1000 < row["private_kb"] < 12_000
    assert after.split("\n") == ["again 4", "lab", "gone 3", "[]", "1", ""]


def test_a_named_one_holds_nobodys_pipe(program: Path) -> None:
    assert inside(f"x=$({program} --name lab -- echo said); echo $x; {program} rm lab") == "said\nlab\n"


def test_of_many_at_once_one_gets_the_name(program: Path) -> None:
    out = inside(f"""for i in 1 2 3 4 5 6; do ({program} --name one -- echo 0 2>/dev/null || echo $?) & done
        wait; {program} ls | tail -n +2 | wc -l; {program} rm one""")
    assert sorted(out.split()[:6]) == ["0", "4", "4", "4", "4", "4"]
    assert out.split()[6:] == ["1", "one"]


def test_a_dead_one_is_not_listed_and_its_name_is_free(program: Path) -> None:
    out = inside(f"""{program} --name lab -- true
        kill -9 $({program} ls | awk '$1 == "lab" {{print $2}}')
        {program} ls --format json; ls /run/minidock-playgrounds
        {program} --name lab -- echo again; {program} rm lab""")
    assert out == "[]\nagain\nlab\n"


@pytest.mark.parametrize("name", ["../x", ".hidden", "a b", "x" * 64, "-"])
def test_a_bad_name_is_refused_before_anything_is_made(name: str) -> None:
    done = run("--name", name, "--", "echo", "made")
    assert (done.returncode, done.stdout) == (2, "")


# Who may have one


@pytest.fixture
def for_everybody() -> Iterator[tuple[list[str], dict[str, str]]]:
    """The CLI as an ordinary user can run it: (command, environment)."""
    with nobody.installation() as found:
        yield found


def test_an_ordinary_user_is_root_in_a_playground(for_everybody: tuple[list[str], dict[str, str]]) -> None:
    cli, env = for_everybody
    cli = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *cli]
    script = """id -u; iptables -t nat -A POSTROUTING -j MASQUERADE; iptables -t nat -S | tail -1
        ip netns add mine; ls /run/netns; sysctl -w net.ipv4.ip_forward=1
        curl -sS http://203.0.113.10 | cut -c1-5
        sudo -u daemon id 2>&1 || true; ps -e | wc -l"""
    done = run("--", "sh", "-ec", script, cli=cli, env=env, cwd="/")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "0", "-A POSTROUTING -j MASQUERADE", "internet", "mine", "net.ipv4.ip_forward = 1", "hello",
        "sudo: this playground has no user but root (start it as root to have them all)", "6"]
    assert run("--name", "lab", "--", "true", cli=cli, env=env, cwd="/").returncode == 0
    try:
        assert run("enter", "lab", "--", "id", "-u", cli=cli, env=env, cwd="/").stdout == "0\n"
    finally:
        assert run("rm", "lab", cli=cli, env=env, cwd="/").stdout == "lab\n"


def test_where_user_namespaces_are_forbidden_one_sentence_says_what_to_type(
        for_everybody: tuple[list[str], dict[str, str]]) -> None:
    cli, env = for_everybody
    done = run("--", "echo", "made", cli=cli, env=env, cwd="/", preexec_fn=nobody.become_with_a_limit)
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr == (
        "minidock: ordinary users may make no playground here: user namespaces are forbidden\n"
        "hint: sudo minidock playground … or: sudo sysctl user.max_user_namespaces=10000\n")


def test_the_machines_own_limit_was_not_touched() -> None:
    assert int(Path("/proc/sys/user/max_user_namespaces").read_text()) > 0


# The small programs


@pytest.mark.parametrize(("words", "said"), [
    ("sudo id -u", "0"), ("sudo -E -n id -u", "0"), ("sudo -nE -- id -u", "0"), ("sudo -u root id -u", "0"),
    ("sudo -Hu root -- id -u", "0"), ("sudo A=1 B='2 3' sh -c 'echo $A $B'", "1 2 3"),
    *(pytest.param(words, "65534", marks=pytest.mark.real_root)
      for words in ("sudo -u nobody id -u", "sudo --user=nobody id -u")),
    ("echo 'echo shell' | sudo -s", "shell"), ("sudo sh -c 'exit 4' || echo $?", "4")])
def test_sudo_runs_its_arguments(words: str, said: str) -> None:
    assert inside(words, env={**ENVIRONMENT, "SHELL": "/bin/sh"}).strip() == said


def test_minidock_inside_is_this_very_installation() -> None:
    script = inside("cat $(command -v minidock)")
    assert sys.executable in script and str(HOME) in script


def test_a_playground_in_a_playground_has_an_internet_of_its_own(program: Path) -> None:
    out = inside(f"ip -n internet link add marker type bridge; ip -n internet -br link show marker | wc -l;"
                 f"{program} -- sh -c 'ip -n internet -br link | wc -l; curl -sS http://web.example'")
    assert out.splitlines()[:2] == ["1", "2"]
    assert out.splitlines()[2].startswith("hello")
