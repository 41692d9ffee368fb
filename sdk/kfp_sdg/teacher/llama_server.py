"""The embedded teacher's process: one llama.cpp server on loopback.

``python -m kfp_sdg.teacher.llama_server --model FILE.gguf --name NAME`` prints a line with its
address once the model is loaded and serves until its standard input ends. The parent holds the
other end of that pipe, so the server cannot outlive it, not even when it is killed.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xllamacpp

READY = "kfp-sdg embedded teacher: listening on "
"""What stands before the address in the line that tells the parent."""


def main() -> None:
    """Load the model, say where it answers, and serve until the parent is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the GGUF file")
    parser.add_argument("--name", required=True, help="the model's name in requests")
    parser.add_argument("--slots", type=int, required=True, help="answers written at once")
    parser.add_argument("--context", type=int, required=True, help="tokens per slot")
    parser.add_argument("--threads", type=int, required=True)
    args = parser.parse_args()
    # Ctrl-C is for the parent, which stops this process when it is ready to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        server = _start(args)
    except RuntimeError as error:
        sys.exit(f"{args.model} cannot be served: {error}")
    # In one piece and on a line of its own, whatever llama.cpp's log is writing beside it.
    sys.stdout.write(f"\n{READY}{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    # Not an ordinary end: that would wait for answers nobody is there to read.
    os._exit(0)


def _start(args: argparse.Namespace) -> xllamacpp.Server:
    # Imported here: the parent reads this module's READY and needs no llama.cpp for that.
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = args.model
    params.model_alias = {args.name}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = args.slots
    params.n_ctx = args.slots * args.context
    # Prompt and generation threads alike: as many threads as cores collapse on a busy machine,
    # since OpenMP's barrier spins.
    params.cpuparams.n_threads = args.threads
    params.cpuparams_batch.n_threads = args.threads
    # llama.cpp keeps prompts of emptied slots for their prefixes, by default in up to 8 GiB.
    params.cache_ram_mib = 256
    params.endpoint_metrics = True
    params.offline = True
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
