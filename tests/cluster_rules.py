"""The rules that every cluster template keeps: cluster.yaml and what lies in deploy/. Each says what breaks it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ("cluster.yaml", *(f"deploy/{name}" for name in ("gcp.yaml", "on-prem.yaml", "kuberay.yaml", "slurm.sh")))
PORTS = {  # the ones that a cluster opens between its nodes, by the flags that set them
    "--node-manager-port": "6380",
    "--object-manager-port": "6381",
    "--runtime-env-agent-port": "6382",
    "--dashboard-agent-listen-port": "6383",
    "--dashboard-agent-grpc-port": "6384",
    "--metrics-export-port": "6385",
    "--min-worker-port": "10002",
    "--max-worker-port": "10999",
}
MOST_IDLE_MINUTES = 30
NVIDIA_DRIVERS = {"12": 525, "13": 580}  # the first that runs what is built for this CUDA, by NVIDIA's release notes


@dataclass(frozen=True)
class Template:
    """Attributes:
    kind: `aws`, `gcp` or `local`, as Ray's cluster launcher has it; `kuberay` or `slurm`.
    content: the YAML; empty for a script.
    """

    name: str
    text: str
    kind: str
    content: dict[str, Any]

    @staticmethod
    def of(name: str, text: str) -> "Template":
        if name.endswith(".sh"):
            return Template(name, text, "slurm", {})
        *_, content = yaml.safe_load_all(text)
        return Template(name, text, content["provider"]["type"] if "provider" in content else "kuberay", content)

    @property
    def code(self) -> str:
        """Without comments, a command a line."""
        lines = [re.sub(r"(^|\s)#(?!SBATCH).*", "", line) for line in self.text.splitlines()]
        return "\n".join(lines).replace("\\\n", " ")

    @property
    def starts(self) -> list[str]:
        """The commands that start Ray on a node."""
        if self.kind == "slurm":
            return [line for line in self.code.splitlines() if re.search(r"ray\S* start ", line)]
        keys = ("head_start_ray_commands", "worker_start_ray_commands")
        return [command for key in keys for command in self.content.get(key, ()) if "ray start" in command]

    @property
    def head_starts(self) -> list[str]:
        return [command for command in self.starts if "--head" in command]

    @property
    def node_types(self) -> dict[str, Any]:
        return dict(self.content.get("available_node_types", {}))

    @property
    def workers(self) -> dict[str, Any]:
        return {name: about for name, about in self.node_types.items() if name != self.content["head_node_type"]}

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Of KubeRay, the head's first."""
        if self.kind != "kuberay":
            return []
        spec = self.content["spec"]
        return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]

    @property
    def containers(self) -> list[dict[str, Any]]:
        return [container for group in self.groups for container in group["template"]["spec"]["containers"]]

    @property
    def images(self) -> list[str]:
        docker = self.content.get("docker", {})
        named = [docker[key] for key in ("image", "head_image", "worker_image") if key in docker]
        return named + [container["image"] for container in self.containers]


def _environment(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in container.get("env", ())}


def the_dashboard_listens_on_loopback(template: Template) -> Iterator[str]:
    for command in template.head_starts:
        if "--dashboard-host=127.0.0.1" not in command:
            yield f"the head is started without --dashboard-host=127.0.0.1: {command}"
    for group in template.groups[:1]:
        if group["rayStartParams"].get("dashboard-host") != "127.0.0.1":
            yield "rayStartParams of the head must have dashboard-host: 127.0.0.1"


def every_start_asks_for_the_token(template: Template) -> Iterator[str]:
    for command in template.starts:
        if "RAY_AUTH_MODE=token" not in command:
            yield f"RAY_AUTH_MODE=token must stand in the command itself: {command}"
    for container in template.containers:
        if _environment(container).get("RAY_AUTH_MODE") != "token":
            yield f"container {container['name']}: RAY_AUTH_MODE must be token"
    if template.kind == "kuberay":
        beside = template.content["spec"].get("autoscalerOptions", {})
        if _environment(beside).get("RAY_AUTH_MODE") != "token" or not beside.get("volumeMounts"):
            yield "autoscalerOptions must have RAY_AUTH_MODE token in env, and the token among volumeMounts"


def the_token_is_a_file_that_only_its_owner_reads(template: Template) -> Iterator[str]:
    if template.kind == "kuberay":
        for group in template.groups:
            modes = [
                v["secret"].get("defaultMode", 0o644) for v in group["template"]["spec"]["volumes"] if "secret" in v
            ]
            if not modes or any(mode & 0o337 for mode in modes):
                yield "the token must be a volume of a secret with defaultMode 0440"
    elif not re.search(r"chmod 600 \S*(auth_token|RAY_AUTH_TOKEN_PATH)", template.code):
        yield "the token's file must be made mode 600 before Ray starts"


def no_token_stands_in_it(template: Template) -> Iterator[str]:
    if re.search(r"RAY_AUTH_TOKEN(?!_PATH)\b", template.code):
        yield "RAY_AUTH_TOKEN: a token belongs into a file"


SECRETS = (
    r"\bA(KIA|SIA)[A-Z0-9]{16}\b",
    r"(?i)(secret_access_key|secretkey|client_secret|api_key)\s*[:=]\s*\S",
    r"(?i)\b(password|passwd|PGPASSWORD)\s*[:=]\s*\S",
    r"://[^/\s:@]+:[^/\s@]+@",
    r"-----BEGIN [A-Z ]*PRIVATE KEY",
)


def no_secret_stands_in_it(template: Template) -> Iterator[str]:
    for pattern in SECRETS:
        if found := re.search(pattern, template.text):
            yield f"looks like a secret: {found[0][:12]}..."


def images_are_pinned(template: Template) -> Iterator[str]:
    for image in template.images:
        if not re.search(r"(@sha256:[0-9a-f]{64}|:\d+\.\d+\.\d+\S*)$", image):
            yield f"image {image}: must have a digest or a whole version"


def images_and_lock_have_one_version_of_ray(template: Template) -> Iterator[str]:
    version = re.search(r"^ray==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert version
    named = [tag for image in template.images for tag in re.findall(r":(\d+\.\d+\.\d+)", image)]
    if template.kind == "kuberay":
        named.append(template.content["spec"]["rayVersion"])
    for tag in named:
        if tag != version[1]:
            yield f"Ray {tag}: requirements.lock has {version[1]}"


def machine_images_have_the_driver_that_torch_needs(template: Template) -> Iterator[str]:
    built_for = re.search(r"^nvidia-cuda-runtime==(\d+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert built_for
    least = NVIDIA_DRIVERS[built_for[1]]
    for name, about in template.node_types.items():
        config = about["node_config"]
        if template.kind == "aws" and not str(config.get("ImageId", "")).startswith("ami-"):
            yield f"{name}: must name its ImageId; Ray's own is of 2022, with an older driver than {least}"
        for disk in config.get("disks", ()):
            image = disk["initializeParams"]["sourceImage"]
            if not (driver := re.search(r"nvidia-(\d+)$", image)) or int(driver[1]) < least:
                yield f"{name}: {image} must have NVIDIA's driver {least} or newer"
    if f"driver {least} or newer" not in template.text:
        yield f"must say that a GPU needs NVIDIA's driver {least} or newer"


def nodes_lie_in_a_network_of_ones_own(template: Template) -> Iterator[str]:
    if "security_group" in template.content.get("provider", {}):
        yield "provider.security_group only adds to a group that admits SSH from everywhere"
    for name, about in template.node_types.items():
        key = {"aws": "SecurityGroupIds", "gcp": "networkInterfaces"}[template.kind]
        if not about["node_config"].get(key):
            yield f"{name}: must name {key}"
    for group in template.groups[:1]:
        if group.get("serviceType") != "ClusterIP":
            yield "serviceType must be ClusterIP"


def nothing_is_open_to_all(template: Template) -> Iterator[str]:
    for address in re.findall(r"0\.0\.0\.0(?:/\d+)?|::/0|Ingress|LoadBalancer|NodePort|hostPort", template.code):
        yield f"{address} opens the cluster to others"


def credentials_of_a_node_are_guarded(template: Template) -> Iterator[str]:
    if template.kind == "aws":
        for name, about in template.node_types.items():
            options = about["node_config"].get("MetadataOptions", {})
            if options.get("HttpTokens") != "required" or options.get("HttpPutResponseHopLimit") != 1:
                yield f"{name}: MetadataOptions must have HttpTokens: required and HttpPutResponseHopLimit: 1"
    for group in template.groups[1:]:
        if group["template"]["spec"].get("automountServiceAccountToken") is not False:
            yield f"group {group['groupName']}: automountServiceAccountToken must be false"


def idle_nodes_go(template: Template) -> Iterator[str]:
    if template.kind == "slurm":
        return  # the allocation ends with the driver
    if template.kind == "kuberay":
        minutes = template.content["spec"].get("autoscalerOptions", {}).get("idleTimeoutSeconds", 0) / 60
    else:
        minutes = template.content.get("idle_timeout_minutes", 0)
    if not 0 < minutes <= MOST_IDLE_MINUTES:
        yield f"an idle node must go after 1 to {MOST_IDLE_MINUTES} minutes, got {minutes:g}"


def there_is_a_most_of_nodes(template: Template) -> Iterator[str]:
    if template.kind in ("aws", "gcp", "local") and "max_workers" not in template.content:
        yield "max_workers must be set"
    for name, about in template.workers.items():
        if "max_workers" not in about:
            yield f"{name}: max_workers must be set"
    for group in template.groups[1:]:
        if "maxReplicas" not in group:
            yield f"group {group['groupName']}: maxReplicas must be set"
    if template.kind == "slurm" and not re.search(r"^#SBATCH --time=", template.text, re.MULTILINE):
        yield "#SBATCH --time must be set"


def workers_come_from_none(template: Template) -> Iterator[str]:
    for name, about in template.workers.items():
        if about.get("min_workers", 0) != 0:
            yield f"{name}: min_workers must be 0"
    for group in template.groups[1:]:
        if group.get("minReplicas", 0) != 0 or group.get("replicas", 0) != 0:
            yield f"group {group['groupName']}: replicas and minReplicas must be 0"


def no_trial_runs_on_the_head(template: Template) -> Iterator[str]:
    if template.node_types:
        there = template.node_types[template.content["head_node_type"]].get("resources", {})
        if there.get("CPU") != 0 or there.get("GPU") != 0:
            yield "the head must have resources {CPU: 0, GPU: 0}"
    else:
        wanted = {"num-cpus": "0", "num-gpus": "0"}
        for group in template.groups[:1]:
            if not wanted.items() <= group["rayStartParams"].items():
                yield 'rayStartParams of the head must have num-cpus: "0" and num-gpus: "0"'
        for command in template.head_starts:
            if not all(f"--{name}={value}" in command for name, value in wanted.items()):
                yield f"the head must be started with --num-cpus=0 --num-gpus=0: {command}"


def spot_comes_first_and_on_demand_after_it(template: Template) -> Iterator[str]:
    """Ray's autoscaler takes the higher priority or, before its version 2, the name later in the alphabet."""
    if template.kind not in ("aws", "gcp"):
        return
    spot = [n for n, about in template.workers.items() if re.search("spot", str(about["node_config"]), re.IGNORECASE)]
    other = [name for name in template.workers if name not in spot]
    if not spot or not other:
        yield "there must be a spot type and an on-demand type of worker"
        return
    priority = {name: about.get("priority", 0) for name, about in template.workers.items()}
    if min(spot) < max(other) or min(priority[n] for n in spot) <= max(priority[n] for n in other):
        yield "a spot type must have the higher priority, and the name later in the alphabet"


def packages_are_installed_by_hash(template: Template) -> Iterator[str]:
    installs = re.findall(r"pip install[^\n]*", template.code)
    if template.kind in ("aws", "gcp", "local") and not installs:
        yield "setup_commands must install requirements.lock"
    for command in installs:
        if "--require-hashes" not in command or "requirements.lock" not in command:
            yield f"must install --require-hashes -r requirements.lock: {command}"


def rays_client_port_is_not_used(template: Template) -> Iterator[str]:
    for found in re.findall(r"ray-client-server-port|client-server|\b10001\b|ray://", template.code):
        yield f"{found}: the driver runs on the cluster; nothing needs Ray's client"


def no_start_reports_usage(template: Template) -> Iterator[str]:
    for command in template.starts:
        if "RAY_USAGE_STATS_ENABLED=0" not in command:
            yield f"RAY_USAGE_STATS_ENABLED=0 must stand in the command: {command}"
    for container in template.containers:
        if _environment(container).get("RAY_USAGE_STATS_ENABLED") != "0":
            yield f"container {container['name']}: RAY_USAGE_STATS_ENABLED must be 0"


def ports_are_the_documented_ones(template: Template) -> Iterator[str]:
    """In a Slurm job they are Ray's own choice: several jobs may share a node."""
    if template.kind == "slurm":
        return
    for command in template.starts:
        for flag, port in PORTS.items():
            if f"{flag}={port}" not in command:
                yield f"{flag} must be {port}: {command}"
        if not re.search(r"--port=6379\b|--address=\$RAY_HEAD_IP:6379\b", command):
            yield f"the head's port must be 6379: {command}"


def only_the_project_and_the_token_are_copied(template: Template) -> Iterator[str]:
    if template.kind in ("kuberay", "slurm"):
        return
    for target, source in template.content.get("file_mounts", {}).items():
        if source not in (".", "~/.ray/sweep_token"):
            yield f"file_mounts: {source} to {target}"
    if missing := {".venv", ".git", "sweeps", "data"} - set(template.content.get("rsync_exclude", ())):
        yield f"rsync_exclude must have {', '.join(sorted(missing))}"


def containers_have_no_privileges(template: Template) -> Iterator[str]:
    for found in re.findall(r"--privileged|docker\.sock|privileged: true|hostNetwork: true|hostPath", template.code):
        yield f"{found}: a container must not reach its host"
    for group in template.groups:
        if group["template"]["spec"].get("securityContext", {}).get("runAsNonRoot") is not True:
            yield "pods must have runAsNonRoot: true"
    for container in template.containers:
        if container.get("securityContext", {}).get("allowPrivilegeEscalation") is not False:
            yield f"container {container['name']}: allowPrivilegeEscalation must be false"


def nothing_is_run_from_the_network(template: Template) -> Iterator[str]:
    for found in re.findall(r"(?:curl|wget)\b[^\n]*\|\s*(?:sudo\s+)?(?:ba)?sh", template.code):
        yield f"runs what it downloads: {found}"


def disks_are_encrypted(template: Template) -> Iterator[str]:
    if template.kind == "aws":
        for name, about in template.node_types.items():
            disks = [mapping["Ebs"] for mapping in about["node_config"].get("BlockDeviceMappings", ())]
            if not disks or not all(disk.get("Encrypted") is True for disk in disks):
                yield f"{name}: its disk must have Encrypted: true"


def memory_is_limited(template: Template) -> Iterator[str]:
    for container in template.containers:
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield f"container {container['name']}: must have a limit of memory"


def a_preempted_job_goes_on(template: Template) -> Iterator[str]:
    if template.kind == "slurm":
        for option in ("--requeue", "--signal=B:USR1@", "--open-mode=append"):
            if f"#SBATCH {option}" not in template.text:
                yield f"must have #SBATCH {option}"
        if "scontrol requeue" not in template.code:
            yield "must put itself back into the queue"


def its_header_says_how_to_use_it(template: Template) -> Iterator[str]:
    header = template.text.split("\n\n")[0] if template.kind != "slurm" else template.text.split("#SBATCH")[0]
    for word in ("up", "submit", "down"):
        if not re.search(rf"^#\s+(\w+ and )?{word}\b[^:\n]*:\s+\S", header, re.MULTILINE):
            yield f"the comment at its top must have the command for {word}"


RULES = (
    the_dashboard_listens_on_loopback,
    every_start_asks_for_the_token,
    the_token_is_a_file_that_only_its_owner_reads,
    no_token_stands_in_it,
    no_secret_stands_in_it,
    images_are_pinned,
    images_and_lock_have_one_version_of_ray,
    machine_images_have_the_driver_that_torch_needs,
    nodes_lie_in_a_network_of_ones_own,
    nothing_is_open_to_all,
    credentials_of_a_node_are_guarded,
    idle_nodes_go,
    there_is_a_most_of_nodes,
    workers_come_from_none,
    no_trial_runs_on_the_head,
    spot_comes_first_and_on_demand_after_it,
    packages_are_installed_by_hash,
    rays_client_port_is_not_used,
    no_start_reports_usage,
    ports_are_the_documented_ones,
    only_the_project_and_the_token_are_copied,
    containers_have_no_privileges,
    nothing_is_run_from_the_network,
    disks_are_encrypted,
    memory_is_limited,
    a_preempted_job_goes_on,
    its_header_says_how_to_use_it,
)


def broken(template: Template) -> dict[str, list[str]]:
    """By rule, what breaks it."""
    found = {rule.__name__: list(rule(template)) for rule in RULES}
    return {name: lines for name, lines in found.items() if lines}
