"""The container's process: namespaces, mounts, identity, its terminal, and the monitor that waits for it.

Read in this order: spawn (the pipe protocol) -> birth (what PID 1 does before exec) -> filesystem,
devices, identity, capabilities -> foreground and detach (the two kinds of monitor) -> enter (`exec`).
The room knows nothing of networks: it is given the path of a network namespace.
"""
