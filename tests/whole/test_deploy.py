"""The cluster templates: each keeps every rule, and each rule is broken by a change to one of them."""

import os
import re
import shutil
import signal
import subprocess

import pytest
import yaml

from sweep.search.ray import cluster
from sweep.search.runtime.start import Start
from tests.cluster_rules import PORTS, ROOT, RULES, TEMPLATES, Template, broken


def text_of(name):
    return (ROOT / name).read_text()


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_keeps_every_rule(name):
    assert broken(Template.of(name, text_of(name))) == {}


def test_every_template_there_is_is_checked():
    there = {f"deploy/{path.name}" for path in (ROOT / "deploy").iterdir()}

    assert there == (set(TEMPLATES) - {"cluster.yaml"}) | {"deploy/Dockerfile"}  # see test_dockerfile.py


BREAKS = {  # of each rule: a template, what to change in it, and into what
    "the_dashboard_listens_on_loopback": ("cluster.yaml", "--dashboard-host=127.0.0.1", "--dashboard-port=8265"),
    "every_start_asks_for_the_token": ("deploy/slurm.sh", "env RAY_AUTH_MODE=token ", "env "),
    "the_token_is_a_file_that_only_its_owner_reads": ("cluster.yaml", "chmod 600", "ls"),
    "no_token_stands_in_it": ("deploy/kuberay.yaml", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_TOKEN"),
    "no_secret_stands_in_it": ("deploy/gcp.yaml", "ssh_user: ubuntu", "ssh_user: ubuntu\n  password: hunter2"),
    "images_are_pinned": ("deploy/gcp.yaml", "ray:2.60.0-py311-gpu", "ray:latest"),
    "images_and_lock_have_one_version_of_ray": ("cluster.yaml", "ray:2.60.0-py311-gpu", "ray:2.59.0-py311-gpu"),
    "machine_images_have_the_driver_that_torch_needs": ("deploy/gcp.yaml", "nvidia-580", "nvidia-570"),
    "nodes_lie_in_a_network_of_ones_own": ("cluster.yaml", "SecurityGroupIds", "SecurityGroups"),
    "nothing_is_open_to_all": ("deploy/gcp.yaml", "10.0.0.2:", "0.0.0.0/0:"),
    "credentials_of_a_node_are_guarded": ("cluster.yaml", "HttpTokens: required", "HttpTokens: optional"),
    "idle_nodes_go": ("deploy/on-prem.yaml", "idle_timeout_minutes: 5", "upscaling_speed: 1"),
    "there_is_a_most_of_nodes": ("cluster.yaml", "\nmax_workers: 8", ""),
    "workers_come_from_none": ("cluster.yaml", "min_workers: 0", "min_workers: 1"),
    "no_trial_runs_on_the_head": ("deploy/on-prem.yaml", "--num-cpus=0 ", ""),
    "spot_comes_first_and_on_demand_after_it": ("deploy/gcp.yaml", "gpu_spot", "a_spot"),
    "packages_are_installed_by_hash": ("cluster.yaml", "--require-hashes ", ""),
    "rays_client_port_is_not_used": ("cluster.yaml", "--port=6379", "--port=6379 --ray-client-server-port=10001"),
    "no_start_reports_usage": ("deploy/on-prem.yaml", "RAY_USAGE_STATS_ENABLED=0", ""),
    "ports_are_the_documented_ones": ("cluster.yaml", "--max-worker-port=10999", ""),
    "only_the_project_and_the_token_are_copied": ("cluster.yaml", "~/.ray/sweep_token #", "~/.aws #"),
    "containers_have_no_privileges": ("cluster.yaml", "--ulimit nofile=65536:65536", "--privileged"),
    "nothing_is_run_from_the_network": ("cluster.yaml", "chmod 600", "curl -s https://example.org/x | sh; chmod 600"),
    "disks_are_encrypted": ("cluster.yaml", "Encrypted: true", "Encrypted: false"),
    "memory_is_limited": ("deploy/kuberay.yaml", "limits: {memory: 8Gi}", "limits: {}"),
    "a_preempted_job_goes_on": ("deploy/slurm.sh", "#SBATCH --requeue\n", ""),
    "its_header_says_how_to_use_it": ("deploy/gcp.yaml", "#   down: ", "#   "),
}


@pytest.mark.parametrize("rule", [rule.__name__ for rule in RULES])
def test_a_rule_is_broken_by_this_change_and_no_other_rule_with_it(rule):
    name, old, new = BREAKS[rule]
    text = text_of(name)
    assert old in text

    assert set(broken(Template.of(name, text.replace(old, new)))) == {rule}


@pytest.mark.skipif(shutil.which("shellcheck") is None and "CI" not in os.environ, reason="shellcheck is not installed")
def test_scripts_pass_shellcheck():
    scripts = [str(ROOT / name) for name in (*TEMPLATES, ".ci/run") if not name.endswith(".yaml")]

    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)

    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["cluster.yaml", "deploy/gcp.yaml", "deploy/on-prem.yaml"])
def test_ray_itself_takes_a_template_of_its_launcher(name, monkeypatch):
    from ray.autoscaler._private.util import prepare_config, validate_config

    monkeypatch.chdir(ROOT)
    prepared = prepare_config(yaml.safe_load(text_of(name)))

    validate_config(prepared)
    assert (
        prepared["max_workers"]
        == sum(about["max_workers"] for kind, about in prepared["available_node_types"].items() if "spot" in kind)
        or prepared["provider"]["type"] == "local"
    )


def test_a_spot_worker_is_started_before_one_on_demand_that_fits_as_well():
    from ray.autoscaler._private.node_provider_availability_tracker import NodeAvailabilitySummary
    from ray.autoscaler._private.resource_demand_scheduler import _default_utilization_scorer, get_nodes_for

    types = yaml.safe_load(text_of("cluster.yaml"))["available_node_types"]
    demand = [{"GPU": 1, "CPU": 1}] * 10

    nodes, left = get_nodes_for(
        types,
        {},
        "head",
        max_to_add=20,
        resources=demand,
        utilization_scorer=lambda *about, **more: _default_utilization_scorer(
            *about, **{**more, "node_availability_summary": NodeAvailabilitySummary({})}
        ),
    )

    assert nodes == {"gpu_spot": 8, "gpu_on_demand": 2}
    assert left == []


# What this project uses of KubeRay's RayCluster, as its reference has it.
CONTAINER = {"name": str, "image": str, "env": list, "resources": dict, "securityContext": dict, "volumeMounts": list}
POD = {"securityContext": dict, "automountServiceAccountToken": bool, "containers": [CONTAINER], "volumes": list}
TEMPLATE = {"spec": POD}
HEAD = {"serviceType": str, "rayStartParams": dict, "template": TEMPLATE}
GROUP = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": dict,
    "template": TEMPLATE,
}
CLUSTER = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str},
    "spec": {
        "rayVersion": str,
        "enableInTreeAutoscaling": bool,
        "autoscalerOptions": {
            "version": str,
            "idleTimeoutSeconds": int,
            "upscalingMode": str,
            "env": list,
            "volumeMounts": list,
        },
        "headGroupSpec": HEAD,
        "workerGroupSpecs": [GROUP],
    },
}


def misfits(value, schema, where="") -> list[str]:
    if isinstance(schema, dict) and isinstance(value, dict):
        return [f"{where}.{key}: unknown, or missing" for key in value.keys() ^ schema.keys()] + [
            line for key in value.keys() & schema.keys() for line in misfits(value[key], schema[key], f"{where}.{key}")
        ]
    if isinstance(schema, list) and isinstance(value, list):
        return [line for item in value for line in misfits(item, schema[0], f"{where}[]")]
    return [] if isinstance(schema, type) and isinstance(value, schema) else [f"{where}: {value!r}"]


def test_the_template_for_kuberay_fits_the_resource_it_is_of():
    nodes, content = yaml.safe_load_all(text_of("deploy/kuberay.yaml"))

    assert (nodes["apiVersion"], nodes["kind"]) == ("v1", "ConfigMap")
    assert misfits(content, CLUSTER) == []
    assert (content["apiVersion"], content["kind"]) == ("ray.io/v1", "RayCluster")
    params = [group["rayStartParams"] for group in Template.of("kuberay.yaml", text_of("deploy/kuberay.yaml")).groups]
    assert all(isinstance(value, str) for given in params for value in given.values())  # KubeRay takes only strings


def test_a_sweep_on_kubernetes_knows_what_the_autoscaler_may_start(tmp_path, monkeypatch):
    nodes, content = yaml.safe_load_all(text_of("deploy/kuberay.yaml"))
    (tmp_path / "config.yaml").write_text(nodes["data"]["ray_bootstrap_config.yaml"])
    monkeypatch.setattr(cluster, "BOOTSTRAP", tmp_path / "config.yaml")
    (group,) = content["spec"]["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    given = {
        "CPU": int(container["resources"]["requests"]["cpu"]),
        "GPU": int(container["resources"]["limits"]["nvidia.com/gpu"]),
    }

    assert cluster.may_come() == [cluster.Node(group["groupName"], given)] * group["maxReplicas"]
    head = cluster.Node("head", {cluster.HEAD: 1.0})  # as the template starts it
    assert cluster.plan_workers([head], cluster.may_come(), Start("the command")).concurrency == group["maxReplicas"]


FAKES = {
    ".venv/bin/ray": "exit 0",
    ".venv/bin/python": 'trap "exit $ENDS_WITH" TERM; echo runs; while :; do sleep 0.05; done',
    "bin/srun": "echo 192.0.2.1",
    "bin/scontrol": 'if [ "$1" = show ]; then echo node1; else echo "$@"; fi',
}


@pytest.mark.parametrize(
    ("sent", "ends_with", "requeued"),
    [(signal.SIGUSR1, 143, True), (signal.SIGUSR1, 0, False), (signal.SIGTERM, 143, False)],
    ids=["out of time", "just finished", "cancelled"],
)
def test_a_slurm_job_goes_back_into_the_queue_when_its_time_is_up_alone(tmp_path, sent, ends_with, requeued):
    for name, script in FAKES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    about = {"SLURM_JOB_ID": "42", "SLURM_JOB_NODELIST": "node1", "SLURM_NNODES": "1", "SLURM_CPUS_PER_TASK": "2"}
    path = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "ENDS_WITH": str(ends_with)}
    job = subprocess.Popen(
        ["bash", ROOT / "deploy" / "slurm.sh"],
        cwd=tmp_path,
        env=os.environ | about | path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "runs\n" in iter(job.stdout.readline, "")
    job.send_signal(sent)
    output, _ = job.communicate(timeout=300)

    assert job.returncode == ends_with
    assert ("requeue 42" in output) is requeued
    assert not list(tmp_path.glob(".slurm-*"))  # the key is gone


def test_the_page_on_clusters_names_the_ports_of_a_cluster():
    section = text_of("docs/cluster.md").split("## On a cluster")[1].split("\n## ")[0]

    assert {"6379", *PORTS.values()} <= set(re.findall(r"\d{4,5}", section))
