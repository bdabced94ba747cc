"""PID 1 of a playground: sleeps; run as a script by a bare interpreter, which costs 2.5 MB instead of 9.

SIGCHLD is ignored, so the kernel reaps whatever dies here (man 2 waitpid, NOTES). When this process is
killed, the kernel kills everything else in its PID namespace (man 7 pid_namespaces).
"""

import _signal  # type: ignore[import-not-found]

_signal.signal(_signal.SIGCHLD, _signal.SIG_IGN)
while True:
    _signal.pause()
