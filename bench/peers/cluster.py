"""A cluster of ten nodes and three hundred pods as some 10,000 series, or one ten times as large.

The metrics are those of kube-state-metrics, cAdvisor, kubelet, node_exporter, the API server and etcd, by
their names and labels; the values are those of a cluster that is well.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.peers.data import INTERVAL_MS, Page, Pairs
from zseval.model.arrays import Values

__all__ = ["BOUNDS", "JOBS", "NAMESPACES", "VERBS", "cluster"]

_NODES, _PODS, NAMESPACES, _DEPLOYMENTS = 10, 300, 12, 60
_PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
_MODES = ("idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user")
VERBS = ("GET", "LIST", "WATCH", "POST", "PUT", "PATCH", "DELETE")
_RESOURCES = ("pods", "nodes", "services", "endpoints", "configmaps", "secrets", "deployments", "events")
BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "+Inf")
JOBS = ("kubelet", "apiserver", "kube-state-metrics", "node-exporter", "coredns", "etcd", "kube-scheduler",
         "kube-controller-manager", "kube-proxy", "alertmanager")  # fmt: skip
_GIB = 2.0**30

Series = tuple[str, dict[str, str], float, str]
"""Name, labels, level, and how it moves: "same", "count" (a counter of so much a second) or "swing"."""


def cluster(end_ms: int, rows: int, *, size: int = 1, seed: int = 20) -> list[Page]:
    """A page for each source: a node's exporters, kube-state-metrics, the API server, etcd and the like.

    size: how many times ten nodes and three hundred pods.
    """
    rng = np.random.default_rng(seed)
    sources: dict[str, list[Series]] = {}
    for node in range(_NODES * size):
        sources[f"10.0.0.{node}:9100"] = list(_node(node, rng))
        sources[f"10.0.0.{node}:10250"] = list(_kubelet(node, rng, size))
    sources["10.1.0.1:8080"] = list(_state(size))
    sources["10.0.0.1:6443"] = list(_control_plane(rng))
    return [
        _page(address, list(series), end_ms, rows, rng)
        for address, series in sources.items()
    ]  # fmt: skip


def _page(address: str, series: list[Series], end_ms: int, rows: int, rng: np.random.Generator) -> Page:
    offset = int(rng.integers(100, INTERVAL_MS - 100))
    offset += 50 if offset % 1000 < 50 else 0
    times = end_ms - offset - INTERVAL_MS * np.arange(rows - 1, -1, -1, dtype=np.int64)
    labels: list[Pairs] = []
    values = np.empty((len(series), rows))
    for row, (name, own, level, moves) in enumerate(series):
        labels.append(tuple(sorted({"__name__": name, "instance": address, **own}.items())))
        values[row] = _values(level, moves, rows, rng)
    counters = np.array([moves == "count" for *_, moves in series])
    return Page(address, labels, times, values, counters)


def _values(level: float, moves: str, rows: int, rng: np.random.Generator) -> Values:
    if moves == "count":
        return np.asarray(np.cumsum(rng.poisson(level * INTERVAL_MS / 1000, rows)) + np.floor(level * 1e4))
    if moves == "swing":
        return np.asarray(
            np.round(level * (1 + 0.1 * np.sin(np.arange(rows) / 20 + level) + 0.02 * rng.random(rows)), 2)
        )
    return np.full(rows, level)


def _node(node: int, rng: np.random.Generator) -> Iterator[Series]:
    job = {"job": "node-exporter", "node": f"node-{node}"}
    yield "up", job, 1.0, "same"
    for cpu in range(8):
        for mode in _MODES:
            speed = 0.7 if mode == "idle" else 0.05
            yield "node_cpu_seconds_total", {**job, "cpu": str(cpu), "mode": mode}, speed, "count"
    for name, gibs in (("MemTotal", 32), ("MemAvailable", 18), ("MemFree", 8), ("Cached", 6), ("Buffers", 1),
                        ("Slab", 1)):  # fmt: skip
        yield f"node_memory_{name}_bytes", job, gibs * _GIB, "same" if name == "MemTotal" else "swing"
    for device in ("sda1", "sda2", "sdb1", "nvme0n1p1"):
        mount = {**job, "device": f"/dev/{device}", "fstype": "ext4", "mountpoint": f"/mnt/{device}"}
        yield "node_filesystem_size_bytes", mount, 200 * _GIB, "same"
        yield "node_filesystem_avail_bytes", mount, 120 * _GIB, "swing"
        yield "node_filesystem_files", mount, 1e7, "same"
        yield "node_filesystem_files_free", mount, 8e6, "swing"
        yield "node_filesystem_readonly", mount, 0.0, "same"
        disk = {**job, "device": device}
        for name, speed in (("io_time_seconds", 0.2), ("reads_completed", 40), ("writes_completed", 60),
                            ("read_bytes", 1e5), ("written_bytes", 2e5), ("io_time_weighted_seconds", 0.3)):  # fmt: skip
            yield f"node_disk_{name}_total", disk, speed, "count"
    for device in ("eth0", "eth1", "cni0", "lo"):
        for way in ("receive", "transmit"):
            for what, flow in (("bytes", 1e5), ("packets", 200), ("errs", 0), ("drop", 0)):
                yield f"node_network_{way}_{what}_total", {**job, "device": device}, flow, "count"
        yield "node_network_up", {**job, "device": device}, 1.0, "same"
    for name, level in (("load1", 2.0), ("load5", 2.0), ("load15", 2.0), ("timex_sync_status", 1.0),
                        ("timex_maxerror_seconds", 0.01), ("nf_conntrack_entries", 2e4),
                        ("filefd_allocated", 3e3)):  # fmt: skip
        yield f"node_{name}", job, float(level), "swing" if name != "timex_sync_status" else "same"
    yield "node_timex_offset_seconds", job, 0.001, "swing"
    yield "node_nf_conntrack_entries_limit", job, 262144.0, "same"
    yield "node_filefd_maximum", job, 1e6, "same"
    yield "node_boot_time_seconds", job, 1.7e9, "same"
    yield "node_vmstat_pgmajfault", job, float(rng.integers(0, 3)), "count"
    yield "node_context_switches_total", job, 5e3, "count"


def _pod(pod: int, size: int) -> dict[str, str]:
    return {"namespace": f"team-{pod % NAMESPACES}", "pod": f"app-{pod % (_DEPLOYMENTS * size)}-{pod:04x}"}


def _kubelet(node: int, rng: np.random.Generator, size: int) -> Iterator[Series]:
    job = {"job": "kubelet", "node": f"node-{node}"}
    yield "up", job, 1.0, "same"
    yield "kubelet_running_pods", job, 40.0, "same"
    yield "kubelet_node_name", job, 1.0, "same"
    for bound, speed in zip(BOUNDS, np.cumsum(rng.random(len(BOUNDS))).tolist(), strict=True):
        yield "kubelet_pleg_relist_duration_seconds_bucket", {**job, "le": bound}, speed, "count"
        yield "kubelet_pod_worker_duration_seconds_bucket", {**job, "le": bound}, speed, "count"
    for claim in range(4):
        volume = {**job, "namespace": f"team-{claim}", "persistentvolumeclaim": f"data-{node}-{claim}"}
        yield "kubelet_volume_stats_capacity_bytes", volume, 50 * _GIB, "same"
        yield "kubelet_volume_stats_available_bytes", volume, 20 * _GIB, "swing"
        yield "kubelet_volume_stats_inodes", volume, 3e6, "same"
        yield "kubelet_volume_stats_inodes_free", volume, 2e6, "swing"
    for pod in range(node, _PODS * size, _NODES * size):
        own = {**job, **_pod(pod, size), "container": "app", "image": "registry.example/app:1"}
        yield "container_cpu_usage_seconds_total", own, 0.2, "count"
        yield "container_memory_working_set_bytes", own, 2e8, "swing"
        yield "container_memory_rss", own, 1.5e8, "swing"
        yield "container_cpu_cfs_periods_total", own, 10.0, "count"
        yield "container_cpu_cfs_throttled_periods_total", own, 0.5, "count"
        for way in ("receive", "transmit"):
            wire = {**job, **_pod(pod, size), "interface": "eth0"}
            yield f"container_network_{way}_bytes_total", wire, 1e4, "count"


def _state(size: int) -> Iterator[Series]:
    job = {"job": "kube-state-metrics"}
    yield "up", job, 1.0, "same"
    for pod in range(_PODS * size):
        own = {**job, **_pod(pod, size), "uid": f"u{pod}"}
        container = {**job, **_pod(pod, size), "container": "app"}
        where = {"node": f"node-{pod % (_NODES * size)}"}
        yield "kube_pod_info", {**own, **where, "host_ip": f"10.0.0.{pod % (_NODES * size)}"}, 1.0, "same"
        for phase in _PHASES:
            yield "kube_pod_status_phase", {**own, "phase": phase}, float(phase == "Running"), "same"
        yield "kube_pod_status_ready", {**own, "condition": "true"}, 1.0, "same"
        owner = f"app-{pod % (_DEPLOYMENTS * size)}"
        yield "kube_pod_owner", {**own, "owner_kind": "ReplicaSet", "owner_name": f"{owner}-abc"}, 1.0, "same"
        yield "kube_pod_container_status_restarts_total", container, 0.0, "count"
        reason = {**container, "reason": "CrashLoopBackOff"}
        yield "kube_pod_container_status_waiting_reason", reason, 0.0, "same"
        for resource, level in (("cpu", 0.25), ("memory", 2.5e8)):
            for what in ("requests", "limits"):
                wanted = {
                    **container,
                    **where,
                    "resource": resource,
                    "unit": "core" if resource == "cpu" else "byte",
                }
                yield f"kube_pod_container_resource_{what}", wanted, level, "same"
    for number in range(_DEPLOYMENTS * size):
        own = {**job, "namespace": f"team-{number % NAMESPACES}", "deployment": f"app-{number}"}
        for name, level in (("spec_replicas", 7), ("status_replicas_available", 7), ("status_replicas_updated", 7),
                            ("metadata_generation", 3), ("status_observed_generation", 3)):  # fmt: skip
            yield f"kube_deployment_{name}", own, float(level), "same"
        replica_set = {**job, "namespace": own["namespace"], "replicaset": f"app-{number}-abc"}
        yield (
            "kube_replicaset_owner",
            {**replica_set, "owner_kind": "Deployment", "owner_name": f"app-{number}"},
            1.0,
            "same",
        )
    for number in range(15):
        own = {**job, "namespace": f"team-{number % NAMESPACES}", "statefulset": f"db-{number}"}
        for name in ("status_replicas_ready", "status_replicas", "replicas", "status_replicas_updated",
                     "status_current_revision", "status_update_revision"):  # fmt: skip
            yield f"kube_statefulset_{name}", own, 3.0, "same"
    for number in range(8):
        own = {**job, "namespace": "kube-system", "daemonset": f"agent-{number}"}
        for name in ("desired_number_scheduled", "current_number_scheduled", "number_misscheduled", "number_available",
                     "updated_number_scheduled"):  # fmt: skip
            level = 0.0 if name == "number_misscheduled" else float(_NODES * size)
            yield f"kube_daemonset_status_{name}", own, level, "same"
    for number in range(20):
        own = {**job, "namespace": f"team-{number % NAMESPACES}", "horizontalpodautoscaler": f"app-{number}"}
        for name, level in (("status_desired_replicas", 7), ("status_current_replicas", 7), ("spec_min_replicas", 2),
                            ("spec_max_replicas", 12)):  # fmt: skip
            yield f"kube_horizontalpodautoscaler_{name}", own, float(level), "same"
        batch = {**job, "namespace": own["namespace"], "job_name": f"batch-{number}"}
        yield "kube_job_failed", batch, 0.0, "same"
        yield "kube_job_spec_completions", batch, 1.0, "same"
        yield "kube_job_complete", batch, 1.0, "same"
        yield "kube_job_status_active", batch, 0.0, "same"
        yield "kube_job_status_start_time", batch, 1.7e9, "same"
    for node in range(_NODES * size):
        own = {**job, "node": f"node-{node}"}
        for condition in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"):
            for status in ("true", "false", "unknown"):
                is_so = status == ("true" if condition == "Ready" else "false")
                labels = {**own, "condition": condition, "status": status}
                yield "kube_node_status_condition", labels, float(is_so), "same"
        yield "kube_node_spec_unschedulable", own, 0.0, "same"
        yield "kube_node_role", {**own, "role": "worker"}, 1.0, "same"
        for resource, level in (("cpu", 8.0), ("memory", 32 * _GIB), ("pods", 110.0)):
            yield "kube_node_status_allocatable", {**own, "resource": resource}, level, "same"
            yield "kube_node_status_capacity", {**own, "resource": resource}, level, "same"
    for namespace in range(NAMESPACES):
        for resource, hard in (("limits.cpu", 40), ("limits.memory", 64 * _GIB), ("pods", 60)):
            own = {**job, "namespace": f"team-{namespace}", "resourcequota": "default", "resource": resource}
            yield "kube_resourcequota", {**own, "type": "hard"}, float(hard), "same"
            yield "kube_resourcequota", {**own, "type": "used"}, hard * 0.6, "swing"
    for claim in range(40):
        own = {
            **job,
            "namespace": f"team-{claim % 4}",
            "persistentvolumeclaim": f"data-{claim % 10}-{claim % 4}",
        }
        yield "kube_persistentvolumeclaim_access_mode", {**own, "access_mode": f"Read{claim}"}, 1.0, "same"
        yield (
            "kube_persistentvolume_status_phase",
            {**own, "phase": "Failed", "persistentvolume": f"pv-{claim}"},
            0.0,
            "same",
        )


def _control_plane(rng: np.random.Generator) -> Iterator[Series]:
    job = {"job": "apiserver"}
    for name in JOBS:
        yield "up", {"job": name, "replica": "0"}, 1.0, "same"
    for verb in VERBS:
        for resource in _RESOURCES:
            for code in ("200", "201", "404", "409", "500"):
                own = {**job, "verb": verb, "resource": resource, "code": code}
                yield "apiserver_request_total", own, 0.01 if code == "500" else 3.0, "count"
        for scope in ("resource", "namespace", "cluster"):
            own = {**job, "verb": verb, "scope": scope}
            total = 0.0
            for bound in BOUNDS:
                total += float(rng.random()) * (5 if bound in BOUNDS[:4] else 0.05)
                yield "apiserver_request_duration_seconds_bucket", {**own, "le": bound}, total, "count"
            yield "apiserver_request_duration_seconds_count", own, total, "count"
            yield "apiserver_request_duration_seconds_sum", own, total / 10, "count"
    yield "apiserver_current_inflight_requests", job, 30.0, "swing"
    yield "apiserver_request_terminations_total", job, 0.0, "count"
    for le in BOUNDS:
        yield "apiserver_client_certificate_expiration_seconds_bucket", {**job, "le": le}, 0.0, "count"
        for name in ("wal_fsync", "backend_commit"):
            own = {"job": "etcd", "le": le}
            yield f"etcd_disk_{name}_duration_seconds_bucket", own, 2.0 + 8 * BOUNDS.index(le), "count"
        for name in ("scheduling_algorithm", "e2e_scheduling", "binding"):
            own = {"job": "kube-scheduler", "le": le}
            yield f"scheduler_{name}_duration_seconds_bucket", own, 1.0 + BOUNDS.index(le), "count"
        for zone in ("cluster.local.", "."):
            own = {"job": "coredns", "zone": zone, "le": le}
            yield "coredns_dns_request_duration_seconds_bucket", own, 9.0 + BOUNDS.index(le), "count"
    for name, level in (
        ("has_leader", 1),
        ("mvcc_db_total_size_in_bytes", 2e8),
        ("quota_backend_bytes", 8e9),
    ):
        yield f"etcd_server_{name}", {"job": "etcd"}, float(level), "same"
    for name in ("leader_changes_seen", "proposals_failed", "proposals_committed"):
        yield f"etcd_server_{name}_total", {"job": "etcd"}, 0.0, "count"
    for rcode in ("NOERROR", "SERVFAIL", "NXDOMAIN"):
        own = {"job": "coredns", "rcode": rcode}
        yield "coredns_dns_responses_total", own, 0.02 if rcode == "SERVFAIL" else 20.0, "count"
    for queue in range(10):
        own = {"job": "kube-controller-manager", "name": f"queue-{queue}"}
        yield "workqueue_depth", own, 3.0, "swing"
        yield "workqueue_adds_total", own, 5.0, "count"
        yield "workqueue_retries_total", own, 0.1, "count"
