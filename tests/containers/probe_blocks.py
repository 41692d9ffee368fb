"""Blocks that tell, as rows, what a task sees from inside its container. Imported there too."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks import Block, register

if TYPE_CHECKING:
    import pyarrow as pa


def status() -> dict[str, str]:
    """Return what the kernel says about this process."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def writable(folder: str) -> str:
    """Try to write into a folder; return the error's name, or "yes"."""
    path = Path(folder, "probe-of-writing")
    try:
        path.write_text("x", encoding="utf-8")
    except OSError as error:
        return type(error).__name__ + f" {error.errno}"
    path.unlink()
    return "yes"


def reach(address: str) -> str:
    """Try to connect to host:port; return the error's name, or "yes"."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except OSError as error:
        return type(error).__name__
    return "yes"


@register("ProbeBlock")
class ProbeBlock(Block):
    """Appends a column with a JSON object of what it sees.

    Args:
        addresses: host:port of what to connect to.
    """

    def __init__(self, ctx: Any, pipe: Any, block_name: str, *, addresses: list[str]) -> None:
        super().__init__(ctx, pipe, block_name)
        self.addresses = addresses

    def apply(self, table: pa.Table, account: Any) -> pa.Table:
        mask = os.umask(0o022)
        os.umask(mask)
        seen = {
            "uid": os.getuid(),
            "gid": os.getgid(),
            "groups": os.getgroups(),
            "umask": f"{mask:03o}",
            **{name: status()[name] for name in ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")},
            "interfaces": [name for _, name in socket.if_nameindex()],
            "writable": {folder: writable(folder) for folder in ("/", "/usr", "/run", "/tmp")},
            "reached": {address: reach(address) for address in self.addresses},
            "passwd": Path("/etc/passwd").read_text(encoding="utf-8").count(str(os.getuid())),
            "home": os.environ.get("HOME"),
            "environment": sorted(os.environ),
        }
        return table.append_column("seen", [[json.dumps(seen)] * table.num_rows])


@register("TroubleBlock")
class TroubleBlock(Block):
    """Ends in one of several ways.

    Args:
        kind: Which way.
    """

    def __init__(self, ctx: Any, pipe: Any, block_name: str, *, kind: str) -> None:
        super().__init__(ctx, pipe, block_name)
        self.kind = kind

    def apply(self, table: pa.Table, account: Any) -> pa.Table:
        print(f"about to be in trouble: {self.kind}", flush=True)
        match self.kind:
            case "status 7":
                os._exit(7)
            case "status 125":
                os._exit(125)
            case "exception":
                raise ZeroDivisionError("of no number by no number")
            case "memory":
                kept = bytearray(1 << 30)
                kept[::4096] = b"x" * len(kept[::4096])
            case "sleep" | "sleep deaf":
                if self.kind == "sleep deaf":
                    signal.signal(signal.SIGINT, signal.SIG_IGN)
                print("sleeps: 1/4 rows", flush=True)
                time.sleep(600)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
        sys.exit("nothing happened")
