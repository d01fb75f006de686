"""What a cluster as the template starts it lets in: its job API with a token, and its ports.

It runs in a network of its own with an address besides loopback, as a cluster's head has, and with a /tmp/ray of its
own, where `ray start` leaves its address: later programs on this machine would look for a cluster there.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cluster_rules import ROOT

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(
        (os.geteuid() != 0 or shutil.which("unshare") is None) and "CI" not in os.environ,
        reason="needs root for a network of its own",
    ),
]
ADDRESS = "10.77.0.1"
JOBS = "http://127.0.0.1:8265/api/jobs/"

# The head as cluster.yaml starts it, then what is asked of it: a line `what answer`, and the listening sockets.
PROGRAM = """
set -eu
mkdir -p /tmp/ray && mount -t tmpfs tmpfs /tmp/ray
ip link set lo up
ip address add {address}/32 dev lo
ip route add default dev lo src {address}
{start} >start.log 2>&1
for _ in $(seq 120); do
    code=$(curl -s -o /dev/null -w '%{{http_code}}' {jobs}) || true
    [ "$code" = 401 ] && break
    sleep 0.5
done
echo without $code
echo wrong $(curl -s -o /dev/null -w '%{{http_code}}' -H 'Authorization: Bearer wrong' {jobs})
echo post $(curl -s -o /dev/null -w '%{{http_code}}' -X POST -d '{{"entrypoint": "touch owned"}}' {jobs})
echo right $(curl -s -o /dev/null -w '%{{http_code}}' -H "Authorization: Bearer $(cat ~/.ray/auth_token)" {jobs})
ss -ltnH | awk '{{print "listens " $4}}'
RAY_AUTH_MODE=token RAY_ADDRESS=http://127.0.0.1:8265 ray job submit --working-dir {root} \
    --runtime-env-json '{{"env_vars": {{"PGPASSWORD": "of the job", "AWS_REGION": "eu-central-1"}}}}' \
    -- python -m search.preflight --sweep "$HOME/sweep" >job.log 2>&1 || true
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """What the head answered, by what was asked; the sockets under `listens`."""
    home = tmp_path_factory.mktemp("home")
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").touch(mode=0o600)
    (home / ".ray" / "auth_token").write_text("5eed" * 16)
    commands = yaml.safe_load((ROOT / "cluster.yaml").read_text())["head_start_ray_commands"]
    (start,) = [command for command in commands if "ray start" in command]
    start = start.replace(" --autoscaling-config=~/ray_bootstrap_config.yaml", "")  # it would ask AWS
    program = PROGRAM.format(address=ADDRESS, start=start.strip(), jobs=JOBS, root=ROOT)
    environment = {**os.environ, "HOME": str(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # A process namespace too: whatever was started ends with its first process.
    alone = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", program]
    done = subprocess.run(alone, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=180)
    assert done.returncode == 0, done.stderr + (home / "start.log").read_text()
    found = {"owned": (home / "owned").exists(), "job": (home / "job.log").read_text(), "listens": []}
    for line in done.stdout.splitlines():
        what, answer = line.split()
        if what == "listens":
            found["listens"].append(answer)
        else:
            found[what] = answer
    return found


def test_the_job_api_asks_for_the_token(answers):
    assert answers["without"] == "401"
    assert answers["wrong"] == "403"
    assert answers["post"] == "401"
    assert answers["right"] == "200"
    assert not answers["owned"]


def test_a_job_with_variables_of_its_own_runs_on_the_cluster(answers):
    assert re.search(r"node \S+ \(\w+\) has .*: ready", answers["job"]), answers["job"]
    assert "succeeded" in answers["job"]


def test_nothing_listens_off_loopback_but_the_ports_that_the_page_on_clusters_names(answers):
    section = (ROOT / "docs" / "cluster.md").read_text().split("## On a cluster")[1].split("\n## ")[0]
    ranges = [tuple(map(int, found)) for found in re.findall(r"(\d{4,5}) to (\d{4,5})", section)]
    named = {int(port) for port in re.findall(r"\b\d{4,5}\b", section)}

    outside = {
        int(port)
        for address, port in (socket.rsplit(":", 1) for socket in answers["listens"])
        if address not in ("127.0.0.1", "[::1]", "[::ffff:127.0.0.1]")
    }

    assert 6379 in outside
    assert {port for port in outside - named if not any(low <= port <= high for low, high in ranges)} == set()
    assert 8265 not in outside  # the dashboard and its job API
