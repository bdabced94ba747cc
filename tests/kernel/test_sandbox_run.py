"""A foreground container: its exit code, streams, signals and the errors of its start."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kernel.sandbox_stage import STAGE, child_of, command, eventually, run, running, sh, started

READY = "echo ready; "


@pytest.mark.parametrize(("script", "code"), [("true", 0), ("exit 7", 7), ("kill -9 $$; exit 4", 4)])
def test_the_exit_code_is_the_programs_and_pid_1_survives_its_own_kill(script: str, code: int) -> None:
    assert sh(script).returncode == code


def test_a_death_by_signal_is_128_more() -> None:
    with started("run", "sleep", "60") as caller:
        os.kill(child_of(caller.pid), signal.SIGKILL)
        assert caller.wait(5) == 137


def test_stdout_and_stderr_stay_apart_and_both_reach_the_log(tmp_path: Path) -> None:
    done = sh("echo out; echo err >&2; echo again > /dev/stdout", log=tmp_path / "log")
    assert (done.stdout, done.stderr) == ("out\nagain\n", "err\n")
    assert sorted((tmp_path / "log").read_text().split()) == ["again", "err", "out"]


def test_a_megabyte_of_output_arrives_whole() -> None:
    assert len(sh("head -c 3000000 /dev/zero | tr '\\0' x").stdout) == 3_000_000


def test_stdin_is_empty_unless_it_is_asked_for() -> None:
    assert run("cat", input="hello").stdout == ""
    assert run("cat", input="hello", stdin_open=True, stdin=True).stdout == "hello"


def test_more_input_than_a_pipe_holds_does_not_stop_the_output() -> None:
    text = "0123456789abcdef" * 40_000
    assert run("cat", input=text, stdin_open=True, stdin=True).stdout == text
    first_write = sh("head -c 1000000 /dev/zero; cat", input=text, stdin_open=True, stdin=True)
    assert first_write.stdout == "\0" * 1_000_000 + text
    assert run("true", input=text, stdin_open=True, stdin=True).returncode == 0


def test_yes_head_ends_because_sigpipe_is_not_ignored() -> None:
    assert sh("yes | head -2").stdout == "y\ny\n"
    ignored = sh("grep SigIgn /proc/self/status").stdout.split()[1]
    assert int(ignored, 16) == 0


def test_our_reader_may_leave_and_the_container_goes_on_into_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    words = command("run", "sh", "-c", "echo 1; sleep 0.3; echo 2; echo 3; exit 5", log=log)
    caller = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert caller.stdout is not None and caller.stdout.readline() == b"1\n"
    caller.stdout.close()
    assert caller.wait(5) == 5
    assert log.read_text() == "1\n2\n3\n"


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH"])
def test_signals_to_the_caller_reach_pid_1(name: str) -> None:
    script = f"trap 'echo got {name}; exit 3' {name}; echo ready; while :; do sleep 0.01; done"
    with started("run", "sh", "-c", script) as caller:
        assert caller.stdout is not None and caller.stdout.readline() == "ready\n"
        os.kill(caller.pid, getattr(signal, f"SIG{name}"))
        assert caller.stdout.read() == f"got {name}\n"
        assert caller.wait(5) == 3


def test_the_third_interrupt_kills_a_program_that_takes_none() -> None:
    with started("run", "sh", "-c", "trap '' INT; echo ready; exec sleep 60") as caller:
        assert caller.stdout is not None and caller.stdout.readline() == "ready\n"
        for _ in range(2):
            os.kill(caller.pid, signal.SIGINT)
            with pytest.raises(subprocess.TimeoutExpired):
                caller.wait(0.1)
        os.kill(caller.pid, signal.SIGINT)
        assert caller.wait(5) == 137


def test_killing_the_caller_kills_pid_1() -> None:
    with started("run", "sleep", "60") as caller:
        first = child_of(caller.pid)
        assert eventually(lambda: Path(f"/proc/{first}/cmdline").read_bytes() == b"sleep\x0060\x00")
        caller.kill()
        assert eventually(lambda: not running(first), 1)


@pytest.mark.parametrize("fields", [
    {}, pytest.param({"user": "daemon"}, marks=pytest.mark.real_root), {"cap_drop": ["ALL"]}, {"init": True}])
def test_killing_the_caller_kills_whatever_credentials_pid_1_took(fields: dict[str, object]) -> None:
    with started("run", "sh", "-c", "echo ready; sleep 60", **fields) as caller:
        assert caller.stdout is not None and caller.stdout.readline() == "ready\n"
        first = child_of(caller.pid)
        caller.kill()
        assert eventually(lambda: not running(first), 1)


def _files(directory: Path) -> None:
    (directory / "plain").write_text("x")
    for name, text in (("noexec", "no magic\n"), ("nointerpreter", "#!/no/such/interpreter\n")):
        (directory / name).write_text(text)
        (directory / name).chmod(0o755)


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nosuch", 127, 'exec: "nosuch": executable file not found in $PATH'),
        ("/no/such", 127, 'exec: "/no/such": stat /no/such: no such file or directory'),
        ("/etc/passwd/x", 127, "not a directory"),
        ("{}/plain", 126, 'exec: "{}/plain": permission denied'),
        ("{}", 126, 'exec: "{}": is a directory'),
        ("{}/noexec", 126, "exec {}/noexec: exec format error"),
        ("{}/nointerpreter", 127, "exec {}/nointerpreter: no such file or directory"),
    ],
)
@pytest.mark.parametrize("init", [False, True])
def test_a_program_that_cannot_be_run(name: str, code: int, words: str, init: bool, tmp_path: Path) -> None:
    _files(tmp_path)
    done = run(name.format(tmp_path), init=init)
    assert done.returncode == code
    assert words.format(tmp_path) in done.stderr


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"cwd": "/nope"}, 126, 'chdir to cwd ("/nope") failed: no such file or directory'),
        ({"user": "nosuch"}, 125, "unable to find user nosuch: no matching entries in passwd file"),
        ({"user": "daemon:nosuch"}, 125, "unable to find group nosuch: no matching entries in group file"),
        ({"cap_add": ["FLY"]}, 125, 'invalid CapAdd: unknown capability: "CAP_FLY"'),
        ({"binds": [["/no/source", "/tmp"]]}, 125, "bind source path does not exist: /no/source"),
        ({"binds": [["/tmp", "/no/target"]]}, 125, "mount point /no/target does not exist"),
        ({"binds": [["/etc/passwd", "/tmp"]]}, 125, "mount on /tmp: trying to mount a directory onto a file"),
        ({"netns": "/run/netns/nosuch"}, 125, "network namespace /run/netns/nosuch"),
        ({"sysctls": [["vm.swappiness", "1"]]}, 125, "is not in a separate kernel namespace"),
        ({"sysctls": [["net.ipv4.ip_forward", "1"]]}, 125, "not allowed in host network namespace"),
        ({"rootfs": "/etc/passwd"}, 125, "rootfs /etc/passwd: not a directory"),
    ],
)
def test_a_container_that_cannot_be_made(fields: dict[str, object], code: int, words: str) -> None:
    done = run("true", **fields)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not os.path.exists("/no") and not os.path.exists("/nope")


def test_init_reaps_orphans_which_a_bare_pid_1_leaves_as_zombies() -> None:
    script = "(true & true) ; sh -c 'sleep 0.05 & exec true'; sleep 0.2; ps -eo stat | grep -c Z"
    assert sh(f"exec sh -c \"{script}\"", init=True).stdout == "0\n"
    bare = "import os,time\nif not os.fork():\n os.fork() or os._exit(0)\n os._exit(0)\ntime.sleep(.2)\n"
    bare += "os.system('ps -eo stat | grep -c Z')"
    assert run("python3", "-c", bare).stdout != "0\n"


@pytest.mark.parametrize(("script", "code"), [("exit 9", 9), ("kill -TERM $$", 143)])
def test_init_exits_with_its_commands_code(script: str, code: int) -> None:
    assert sh(script, init=True).returncode == code


def test_init_lets_a_default_signal_end_the_command() -> None:
    with started("run", "sh", "-c", "echo ready; exec sleep 60", init=True) as caller:
        assert caller.stdout is not None and caller.stdout.readline() == "ready\n"
        os.kill(caller.pid, signal.SIGTERM)
        assert caller.wait(5) == 143


def test_no_descriptor_of_ours_is_inherited() -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    words = command("run", "ls", "/proc/self/fd", stage=STAGE)
    done = subprocess.run(words, capture_output=True, text=True, pass_fds=(write,), timeout=20)
    assert done.stdout.split() == ["0", "1", "2", "3"]  # 3: the directory that ls reads
    os.close(read), os.close(write)
