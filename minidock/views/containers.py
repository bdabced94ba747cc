"""`ps`: Docker's columns, and the networks."""

from __future__ import annotations

import json
from typing import Any

from minidock.model.container import Container, End, Run
from minidock.model.ports import PortBinding, exposed_by
from minidock.views.inspect import status
from minidock.views.ports import column
from minidock.views.table import since

TABLE = (r"table {{.ID}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Networks}}")
HEADS = {"ID": "CONTAINER ID", "Command": "COMMAND", "RunningFor": "CREATED", "Status": "STATUS", "Ports": "PORTS",
         "Names": "NAMES", "Networks": "NETWORKS", "Image": "IMAGE", "State": "STATE", "Labels": "LABELS",
         "Mounts": "MOUNTS", "CreatedAt": "CREATED AT", "Size": "SIZE", "LocalVolumes": "LOCAL VOLUMES"}


def words(run: Run | None, end: End | None, now: float) -> str:
    """The state in words: Up 3 minutes, Exited (0) 2 hours ago, Created."""
    state = status(run, end)
    if state == "running" and run:
        return f"Up {since(run.started, now)}"
    if state == "exited" and end:
        return f"Exited ({end.exit_code}) {since(end.finished or end.started, now)} ago"
    return "Created"


def as_object(con: Container, run: Run | None, end: End | None, now: float, whole: bool = False,
              ports: tuple[PortBinding, ...] | None = None) -> dict[str, Any]:
    """One line: strings, as Docker's; `Label` is a method for templates. No `ports` (None): nothing shows there."""
    command, labels = " ".join(con.argv), dict(con.labels)
    if not whole and len(command) > 20:
        command = command[:19] + "…"
    return {
        "Command": json.dumps(command, ensure_ascii=False),  # quoted: a line break in it would break the table
        "CreatedAt": con.created, "ID": con.id if whole else con.short, "Image": "",
        "Labels": ",".join(f"{key}={value}" for key, value in con.labels), "LocalVolumes": "0",
        "Mounts": ",".join(bind.source for bind in con.binds), "Names": con.name,
        "Networks": ",".join(item.name for item in con.attachments),
        "Ports": "" if ports is None else column(ports, exposed_by(con.ports, con.expose)),
        "RunningFor": f"{since(con.created, now)} ago", "Size": "0B", "State": status(run, end),
        "Status": words(run, end, now), "Label": lambda key: labels.get(key, ""),
    }
