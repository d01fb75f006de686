"""Finds out where Ray runs, from the address that the user gave, and whether a cluster answers there.

It imports nothing heavy.
"""

import os
import re
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from sweep.search.ray.ray_2_60 import newest_cluster_here
from sweep.storage.errors import ConfigError, UserError

VARIABLE = "RAY_ADDRESS"
ANSWER_SECONDS = 5.0  # for a server to accept a connection and send its first bytes
# gRPC speaks HTTP/2, which begins with the client's preface and its settings, here an empty list. Every server answers
# first with its own settings: a frame of type 4.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS = 4


class RayFailedError(UserError):
    """Ray could not be started, or ended under the sweep."""

    exit_code = 4

    def __str__(self) -> str:
        return f"{super().__str__()}\nNothing that was recorded is lost; run the same command again to go on."


def place(address: str | None) -> str | None:
    """Returns where Ray runs: the given address, else RAY_ADDRESS, which jobs of a cluster have; None for this machine.

    Raises:
      ConfigError: a driver cannot use the address.
    """
    target = address or os.environ.get(VARIABLE) or None
    if target is None or target == "local":
        return None
    if target == "auto":
        variable = os.environ.get(VARIABLE) or "auto"  # it may have the address itself
        return target if variable in ("auto", "local") else place(variable)
    name, rule = named(target), "must be auto, local or HOST:PORT of the head's GCS (port 6379 as a rule)"
    if target.startswith(("http://", "https://")):
        raise ConfigError(
            f"{name}: is where jobs are submitted to; {rule}. Unset RAY_ADDRESS, or give --address HOST:PORT, or "
            "submit this command as a job: `ray job submit`"
        )
    if target.startswith("ray://"):
        raise ConfigError(
            f"{name}: is of a Ray client, and a sweep runs on the cluster itself; {rule}. Start it on a machine of the "
            "cluster with --address auto, or submit it as a job: `ray job submit`"
        )
    host, port = host_and_port(target)
    if not host or not 0 < port < 65536:
        raise ConfigError(f"{name}: {rule}")
    return target


def check(address: str | None) -> None:
    """Checks that Ray can run where the user wants it.

    Raises:
      ConfigError: it cannot, or nothing answers there.
    """
    target = place(address)
    if target not in (None, "auto"):
        check_answers(target, named(target))


def check_answers(address: str, name: str) -> None:
    """Checks that a server answers at an address.

    Args:
      name: the address as the message shows it, with the flag or the variable that it comes from.

    Raises:
      ConfigError: no server that could be a GCS answers at HOST:PORT.
    """
    if fault := answers(address):
        raise ConfigError(
            f"{name}: no Ray cluster answers at {address} ({fault}); start it (`ray start --head`) or name another, "
            "or leave this out and unset RAY_ADDRESS: then Ray runs on this machine"
        )


def named(address: str) -> str:
    """Returns the address with the flag or the variable that it comes from."""
    return f"{VARIABLE}={address}" if address == os.environ.get(VARIABLE) else f"--address {address}"


def host_and_port(address: str) -> tuple[str, int]:
    """Splits HOST:PORT, in which an IPv6 address has brackets; returns an empty host if it is nothing like that."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.%\w]+\]|[\w.-]+):([0-9]{1,5})", address)
    return (match[1].strip("[]"), int(match[2])) if match else ("", 0)


def answers(address: str, seconds: float = ANSWER_SECONDS) -> str:
    """Returns why no gRPC server answers at HOST:PORT, as the GCS of a cluster would; empty if one does.

    Args:
      seconds: how long a name server may take to answer, and how long the server itself may take after that.
    """
    try:
        return fault_of(resolved(address, seconds), seconds)
    except OSError as error:
        return _error_text(error)


def resolved(address: str, seconds: float) -> list[Any]:
    """Returns the socket addresses of HOST:PORT, each as `socket.getaddrinfo` returns it.

    Raises:
      OSError: the name is not known, or no name server answers in time.
    """
    addresses: Future[list[Any]] = Future()
    host, port = host_and_port(address)

    def resolve() -> None:
        try:
            addresses.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except UnicodeError as error:  # raised by Python for a name with a part that is empty or too long
            addresses.set_exception(OSError(f"no name of a host: {error}"))
        except OSError as error:
            addresses.set_exception(error)

    threading.Thread(target=resolve, daemon=True).start()  # the call may take minutes and has no limit
    try:
        return addresses.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer of a name server in {seconds:.0f} s") from None


def fault_of(servers: Sequence[Any], seconds: float) -> str:
    """Returns why no gRPC server answers at any of these addresses; empty if one does.

    Args:
      servers: the addresses, as `resolved` returns them.
      seconds: how long all of them may take together.
    """
    fault = "its name is not known"
    for family, kind, protocol, _, server in servers:
        fault = _fault_at((family, kind, protocol), server, seconds / len(servers))
        if not fault:
            return ""
    return fault


def _fault_at(kind: tuple[int, int, int], server: Any, seconds: float) -> str:
    try:
        with socket.socket(*kind) as client:
            client.settimeout(seconds)
            client.connect(server)
            if os.environ.get("RAY_USE_TLS", "0").lower() in ("1", "true"):
                return ""  # it would answer only a client with a certificate
            client.sendall(HELLO)
            head = b""
            while len(head) < 4 and (part := client.recv(4 - len(head))):
                head += part
    except TimeoutError:
        return f"no answer in {seconds:.0f} s"
    except OSError as error:
        return _error_text(error)
    return "" if len(head) == 4 and head[3] == SETTINGS else "what listens there is not Ray"


def _error_text(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def running_here(name: str, private_prefix: str) -> str:
    """Returns the address of the cluster that this machine is part of: that of `ray start`, else the only one.

    A session that a driver has started for itself alone does not count, because it ends with its driver.

    Args:
      name: the flag or variable that asked for it, for messages.
      private_prefix: how the names of such sessions' folders begin.

    Raises:
      ConfigError: there is none, or there are several and none is the newest.
    """
    addresses = _clusters_here(private_prefix)
    newest = newest_cluster_here()
    if newest and (newest in addresses or not addresses):
        return newest
    if not addresses:
        raise ConfigError(
            f"{name}: no Ray cluster runs on this machine; start one (`ray start --head`) or name one by HOST:PORT, or "
            "leave this out and unset RAY_ADDRESS: then Ray runs on this machine for this sweep alone"
        )
    if len(addresses) > 1:
        choices = ", ".join(sorted(addresses))
        raise ConfigError(f"{name}: several Ray clusters run on this machine; name one of {choices}")
    return addresses.pop()


def _clusters_here(private_prefix: str) -> set[str]:
    """Returns the addresses by which the nodes on this machine have joined their clusters, without private sessions."""
    import psutil  # comes with Ray if it is not installed by itself

    addresses = set()
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or [""]
        flags = dict(word.lstrip("-").split("=", 1) for word in words if word.startswith("--") and "=" in word)
        folder = os.path.basename(flags.get("temp_dir", "").rstrip("/"))
        if os.path.basename(words[0]) == "raylet" and "gcs-address" in flags and not folder.startswith(private_prefix):
            addresses.add(flags["gcs-address"])
    return addresses
