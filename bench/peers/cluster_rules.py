"""200 rules over a cluster, in the shapes that such clusters are watched by.

Burn rates over several windows, joins with group_left, absent, counts that disagree, predict_linear on
volumes, quantiles of histograms. Most of them find nothing, as in a cluster that is well.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.peers.cluster import JOBS, NAMESPACES, VERBS

__all__ = ["Rule", "rule_file", "rules"]

Rule = tuple[str, str, str, str]
"""record or alert, name, expression (without single quotes), hold duration."""


def rule_file(interval: str) -> str:
    """The rules as a rule file, in groups of what they are about."""
    lines = ["groups:"]
    for group, members in rules().items():
        lines += [f"- name: {group}", f"  interval: {interval}", "  rules:"]
        for kind, name, expr, hold in members:
            lines.append(f"  - {kind}: '{name}'")
            lines.append(f"    expr: '{expr}'")
            if kind == "alert":
                lines.append(f"    for: {hold}")
                lines.append("    labels: {severity: warning}")
                lines.append(
                    '    annotations: {summary: "{{ $labels.instance }} has {{ $value | humanize }}"}'
                )
    return "\n".join(lines) + "\n"


def rules() -> dict[str, list[Rule]]:
    """The 200 rules by group."""
    return {
        "api-burn": list(_burn()),
        "api": list(_api()),
        "nodes": list(_nodes()),
        "pods": list(_pods()),
        "workloads": list(_workloads()),
        "storage": list(_volumes()),
        "resources": list(_shares()),
        "presence": list(_presence()),
        "latency": list(_latency()),
    }


def _burn() -> Iterator[Rule]:
    """Errors and slow answers as a share of all, over several windows, and alerts where two of them burn."""
    kinds = {"read": "GET|LIST", "write": "POST|PUT|PATCH|DELETE"}
    windows = ("5m", "30m", "1h", "2h", "6h", "1d")
    for kind, verbs in kinds.items():
        chosen = f'job="apiserver",verb=~"{verbs}"'
        for window in windows:
            count = f"rate(apiserver_request_duration_seconds_count{{{chosen}}}[{window}])"
            quick = f'rate(apiserver_request_duration_seconds_bucket{{{chosen},le="1"}}[{window}])'
            failed = f'rate(apiserver_request_total{{{chosen},code=~"5.."}}[{window}])'
            whole = f"rate(apiserver_request_total{{{chosen}}}[{window}])"
            expr = f"((sum({count}) - sum({quick})) + sum({failed})) / sum({whole})"
            yield "record", f"apiserver_request:burnrate_{kind}:{window}", expr, ""
    for long, short, factor, hold in (
        ("1h", "5m", 14.4, "2m"),
        ("6h", "30m", 6, "15m"),
        ("1d", "2h", 3, "1h"),
    ):
        for kind in kinds:
            name = f"apiserver_request:burnrate_{kind}"
            expr = f"{name}:{long} > ({factor} * 0.01) and {name}:{short} > ({factor} * 0.01)"
            yield "alert", f"KubeAPIErrorBudgetBurn_{kind}_{long}", expr, hold


def _api() -> Iterator[Rule]:
    for verb in VERBS:
        expr = f'sum by (resource, code) (rate(apiserver_request_total{{job="apiserver",verb="{verb}"}}[5m]))'
        yield "record", f"code_resource:apiserver_request:rate5m_{verb}", expr, ""
        share = (
            f'sum by (resource) (rate(apiserver_request_total{{verb="{verb}",code=~"5.."}}[5m]))'
            f' / sum by (resource) (rate(apiserver_request_total{{verb="{verb}"}}[5m])) > 0.05'
        )
        yield "alert", f"KubeAPIErrors_{verb}", share, "10m"
    yield "alert", "KubeAPITerminated", (
        "sum(rate(apiserver_request_terminations_total[10m]))"
        " / (sum(rate(apiserver_request_total[10m])) + sum(rate(apiserver_request_terminations_total[10m]))) > 0.20"
    ), "5m"  # fmt: skip
    yield "alert", "EtcdNoLeader", "etcd_server_has_leader == 0", "1m"
    yield "alert", "EtcdLeaderChanges", "increase(etcd_server_leader_changes_seen_total[15m]) >= 4", "5m"
    yield "alert", "EtcdProposalsFail", "rate(etcd_server_proposals_failed_total[15m]) > 5", "15m"
    yield "alert", "EtcdAlmostFull", (
        "last_over_time(etcd_server_mvcc_db_total_size_in_bytes[5m])"
        " / last_over_time(etcd_server_quota_backend_bytes[5m]) * 100 > 95"
    ), "10m"  # fmt: skip
    yield "alert", "EtcdGrowsFast", (
        "predict_linear(etcd_server_mvcc_db_total_size_in_bytes[30m], 4 * 3600) > etcd_server_quota_backend_bytes"
    ), "10m"  # fmt: skip
    yield "alert", "DNSFails", (
        'sum by (job) (rate(coredns_dns_responses_total{rcode="SERVFAIL"}[5m]))'
        " / sum by (job) (rate(coredns_dns_responses_total[5m])) > 0.01"
    ), "10m"  # fmt: skip
    yield "alert", "QueueDepth", "max by (name) (max_over_time(workqueue_depth[10m])) > 100", "15m"
    yield "alert", "QueueRetries", (
        "sum by (name) (rate(workqueue_retries_total[5m])) / sum by (name) (rate(workqueue_adds_total[5m])) > 0.5"
    ), "15m"  # fmt: skip


def _nodes() -> Iterator[Rule]:
    idle = 'rate(node_cpu_seconds_total{mode="idle"}[5m])'
    yield (
        "record",
        "instance:node_num_cpu:sum",
        'count without (cpu, mode) (node_cpu_seconds_total{mode="idle"})',
        "",
    )
    yield "record", "instance:node_cpu_utilisation:rate5m", f"1 - avg without (cpu, mode) ({idle})", ""
    yield "record", "instance:node_load1_per_cpu:ratio", "node_load1 / instance:node_num_cpu:sum", ""
    yield "record", "instance:node_memory_utilisation:ratio", (
        "1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes"
    ), ""  # fmt: skip
    yield "record", "instance:node_vmstat_pgmajfault:rate5m", "rate(node_vmstat_pgmajfault[5m])", ""
    for what in ("io_time_seconds", "io_time_weighted_seconds", "read_bytes", "written_bytes", "reads_completed",
                 "writes_completed"):  # fmt: skip
        yield "record", f"instance_device:node_disk_{what}:rate5m", f"rate(node_disk_{what}_total[5m])", ""
    for way in ("receive", "transmit"):
        for what in ("bytes", "packets", "drop", "errs"):
            expr = f'sum without (device) (rate(node_network_{way}_{what}_total{{device!="lo"}}[5m]))'
            yield "record", f"instance:node_network_{way}_{what}_excluding_lo:rate5m", expr, ""
        expr = f"rate(node_network_{way}_errs_total[2m]) / rate(node_network_{way}_packets_total[2m]) > 0.01"
        yield "alert", f"NodeNetwork_{way}_Errs", expr, "1h"
    for hours, share in ((24, 0.2), (4, 0.1)):
        for what, size in (("avail_bytes", "size_bytes"), ("files_free", "files")):
            expr = (
                f"node_filesystem_{what} / node_filesystem_{size} < {share}"
                f" and predict_linear(node_filesystem_{what}[1h], {hours} * 3600) < 0"
                " and node_filesystem_readonly == 0"
            )
            yield "alert", f"NodeFilesystemFillsUp_{what}_{hours}h", expr, "1h"
    for share in (0.05, 0.03):
        for what, size in (("avail_bytes", "size_bytes"), ("files_free", "files")):
            expr = (
                f"node_filesystem_{what} / node_filesystem_{size} < {share} and node_filesystem_readonly == 0"
            )
            yield "alert", f"NodeFilesystemAlmostOut_{what}_{share:.0%}".replace("%", ""), expr, "30m"
    yield (
        "alert",
        "NodeHighConntrack",
        "node_nf_conntrack_entries / node_nf_conntrack_entries_limit > 0.75",
        "5m",
    )
    yield "alert", "NodeClockSkew", (
        "(node_timex_offset_seconds > 0.05 and deriv(node_timex_offset_seconds[5m]) >= 0)"
        " or (node_timex_offset_seconds < -0.05 and deriv(node_timex_offset_seconds[5m]) <= 0)"
    ), "10m"  # fmt: skip
    yield "alert", "NodeClockNotSynced", (
        "min_over_time(node_timex_sync_status[5m]) == 0 and node_timex_maxerror_seconds >= 16"
    ), "10m"  # fmt: skip
    yield "alert", "NodeFileDescriptors", "node_filefd_allocated * 100 / node_filefd_maximum > 70", "15m"
    yield (
        "alert",
        "NodeCPUHigh",
        'sum without (mode) (avg without (cpu) (rate(node_cpu_seconds_total{mode!~"idle|iowait"}[2m]))) * 100 > 90',
        "15m",
    )
    yield (
        "alert",
        "NodeSaturated",
        'node_load1 / count without (cpu, mode) (node_cpu_seconds_total{mode="idle"}) > 2',
        "15m",
    )
    yield "alert", "NodeMajorFaults", "rate(node_vmstat_pgmajfault[5m]) > 500", "15m"
    yield "alert", "NodeMemoryHigh", (
        "100 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes * 100 > 90"
    ), "15m"  # fmt: skip
    yield "alert", "NodeDiskSaturated", "rate(node_disk_io_time_weighted_seconds_total[5m]) > 10", "30m"
    yield "alert", "NodeInterfaceFlaps", "changes(node_network_up[2m]) > 2", "2m"
    for condition in ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure"):
        wanted = f'kube_node_status_condition{{condition="{condition}",status="true"}}'
        yield "alert", f"KubeNode_{condition}", f"{wanted} == {0 if condition == 'Ready' else 1}", "15m"
    yield "alert", "KubeNodeFlaps", (
        'sum by (node) (changes(kube_node_status_condition{status="true",condition="Ready"}[15m])) > 2'
    ), "15m"  # fmt: skip
    yield "alert", "KubeNodeTooManyPods", (
        'count by (node) ((kube_pod_status_phase{phase="Running"} == 1)'
        " * on (namespace, pod) group_left (node) max by (namespace, pod, node) (kube_pod_info))"
        ' / max by (node) (kube_node_status_capacity{resource="pods"} != 1) > 0.95'
    ), "15m"  # fmt: skip


def _pods() -> Iterator[Rule]:
    yield "alert", "KubePodCrashLooping", (
        'max_over_time(kube_pod_container_status_waiting_reason{reason="CrashLoopBackOff"}[5m]) >= 1'
    ), "15m"  # fmt: skip
    for minutes in (10, 60):
        expr = f"increase(kube_pod_container_status_restarts_total[{minutes}m]) > 3"
        yield "alert", f"KubePodRestarts_{minutes}m", expr, "5m"
    for phase in ("Pending", "Unknown", "Failed"):
        yield "alert", f"KubePod_{phase}", (
            f'sum by (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{{phase="{phase}"}})'
            " * on (namespace, pod) group_left (owner_kind)"
            ' topk by (namespace, pod) (1, max by (namespace, pod, owner_kind) (kube_pod_owner{owner_kind!="Job"}))) > 0'
        ), "15m"  # fmt: skip
    yield "alert", "KubePodNotReady", 'kube_pod_status_ready{condition="true"} == 0', "15m"
    yield "record", "node_namespace_pod:kube_pod_info:", (
        "topk by (namespace, pod) (1, max by (node, namespace, pod) (kube_pod_info))"
    ), ""  # fmt: skip
    joined = " * on (namespace, pod) group_left (node) topk by (namespace, pod) (1, max by (namespace, pod, node) (kube_pod_info))"
    yield "record", "node_namespace_pod_container:container_cpu_usage:irate", (
        f"sum by (namespace, pod, container) (irate(container_cpu_usage_seconds_total[5m])){joined}"
    ), ""  # fmt: skip
    for what in ("working_set_bytes", "rss"):
        expr = f"max by (namespace, pod, container) (container_memory_{what}){joined}"
        yield "record", f"node_namespace_pod_container:container_memory_{what}", expr, ""
    for way in ("receive", "transmit"):
        expr = f"sum by (namespace) (rate(container_network_{way}_bytes_total[5m]))"
        yield "record", f"namespace:container_network_{way}_bytes:rate5m", expr, ""
        expr = f"topk(5, sum by (namespace, pod) (rate(container_network_{way}_bytes_total[5m]))) > 1e8"
        yield "alert", f"PodNetwork_{way}_High", expr, "10m"
    yield "record", "namespace_workload_pod:kube_pod_owner:relabel", (
        'max by (namespace, workload, pod) (label_replace(label_replace(kube_pod_owner{owner_kind="ReplicaSet"},'
        ' "replicaset", "$1", "owner_name", "(.*)") * on (replicaset, namespace) group_left (owner_name)'
        " topk by (replicaset, namespace) (1, max by (replicaset, namespace, owner_name) (kube_replicaset_owner)),"
        ' "workload", "$1", "owner_name", "(.*)"))'
    ), ""  # fmt: skip
    yield "alert", "CPUThrottling", (
        "sum by (container, pod, namespace) (increase(container_cpu_cfs_throttled_periods_total[5m]))"
        " / sum by (container, pod, namespace) (increase(container_cpu_cfs_periods_total[5m])) > 0.25"
    ), "15m"  # fmt: skip
    yield "alert", "PodNearItsMemoryLimit", (
        "max by (namespace, pod, container) (container_memory_working_set_bytes)"
        " / on (namespace, pod, container)"
        ' max by (namespace, pod, container) (kube_pod_container_resource_limits{resource="memory"}) > 0.95'
    ), "15m"  # fmt: skip


def _workloads() -> Iterator[Rule]:
    yield "alert", "KubeDeploymentReplicas", (
        "(kube_deployment_spec_replicas > kube_deployment_status_replicas_available)"
        " and (changes(kube_deployment_status_replicas_updated[10m]) == 0)"
    ), "15m"  # fmt: skip
    yield "alert", "KubeDeploymentGeneration", (
        "kube_deployment_status_observed_generation != kube_deployment_metadata_generation"
    ), "15m"  # fmt: skip
    yield "alert", "KubeStatefulSetReplicas", (
        "(kube_statefulset_status_replicas_ready != kube_statefulset_status_replicas)"
        " and (changes(kube_statefulset_status_replicas_updated[10m]) == 0)"
    ), "15m"  # fmt: skip
    yield "alert", "KubeStatefulSetNotRolledOut", (
        "(max without (revision) (kube_statefulset_status_current_revision"
        " unless kube_statefulset_status_update_revision) * (kube_statefulset_replicas"
        " != kube_statefulset_status_replicas_updated)) and (changes(kube_statefulset_status_replicas_updated[5m]) == 0)"
    ), "15m"  # fmt: skip
    desired = "kube_daemonset_status_desired_number_scheduled"
    for name in ("current_number_scheduled", "number_available", "updated_number_scheduled"):
        expr = f"(kube_daemonset_status_{name} != {desired}) and (changes(kube_daemonset_status_{name}[5m]) == 0)"
        yield "alert", f"KubeDaemonSet_{name}", expr, "15m"
    yield "alert", "KubeDaemonSetMisScheduled", "kube_daemonset_status_number_misscheduled > 0", "15m"
    yield "alert", "KubeJobFailed", "kube_job_failed > 0", "15m"
    yield "alert", "KubeJobTakesLong", (
        "time() - max by (namespace, job_name) (kube_job_status_start_time"
        " and kube_job_status_active > 0) > 43200"
    ), "1m"  # fmt: skip
    pod_scaler = "kube_horizontalpodautoscaler"
    yield "alert", "KubeHpaReplicas", (
        f"({pod_scaler}_status_desired_replicas != {pod_scaler}_status_current_replicas)"
        f" and ({pod_scaler}_status_current_replicas > {pod_scaler}_spec_min_replicas)"
        f" and ({pod_scaler}_status_current_replicas < {pod_scaler}_spec_max_replicas)"
        f" and changes({pod_scaler}_status_current_replicas[15m]) == 0"
    ), "15m"  # fmt: skip
    yield "alert", "KubeHpaAtItsMaximum", (
        f"{pod_scaler}_status_current_replicas == {pod_scaler}_spec_max_replicas"
    ), "15m"  # fmt: skip
    for number in range(NAMESPACES):
        namespace = f'namespace="team-{number}"'
        yield "alert", f"NamespaceUnready_{number}", (
            f'sum(kube_pod_status_ready{{condition="true",{namespace}}})'
            f' / count(kube_pod_status_ready{{condition="true",{namespace}}}) < 0.9'
        ), "10m"  # fmt: skip


def _volumes() -> Iterator[Rule]:
    stats = "kubelet_volume_stats"
    for what, size in (("available_bytes", "capacity_bytes"), ("inodes_free", "inodes")):
        yield "alert", f"VolumeFull_{what}", f"{stats}_{what} / {stats}_{size} < 0.03", "1m"
        yield "alert", f"VolumeFillsUp_{what}", (
            f"({stats}_{what} / {stats}_{size}) < 0.15 and predict_linear({stats}_{what}[1h], 4 * 24 * 3600) < 0"
            " unless on (namespace, persistentvolumeclaim)"
            ' kube_persistentvolumeclaim_access_mode{access_mode="ReadOnlyMany"} == 1'
        ), "1h"  # fmt: skip
        for hours in (1, 6, 24):
            expr = f"predict_linear({stats}_{what}[30m], {hours} * 3600) < 0"
            yield "alert", f"VolumeOutIn_{what}_{hours}h", expr, "10m"
    yield "alert", "VolumeErrors", 'kube_persistentvolume_status_phase{phase=~"Failed|Pending"} > 0', "5m"


def _shares() -> Iterator[Rule]:
    alive = (
        "* on (namespace, pod) group_left ()"
        ' max by (namespace, pod) (kube_pod_status_phase{phase=~"Pending|Running"} == 1)'
    )
    for resource in ("cpu", "memory"):
        for what in ("requests", "limits"):
            asked = f'kube_pod_container_resource_{what}{{resource="{resource}"}}'
            yield "record", f"cluster:namespace:pod_{resource}:active:kube_pod_container_resource_{what}", (
                f"{asked} {alive}"
            ), ""  # fmt: skip
            yield "record", f"namespace_{resource}:kube_pod_container_resource_{what}:sum", (
                "sum by (namespace) (sum by (namespace, pod) (max by (namespace, pod, container)"
                f" ({asked}) {alive}))"
            ), ""  # fmt: skip
        total = f'kube_node_status_allocatable{{resource="{resource}"}}'
        yield "alert", f"KubeOvercommit_{resource}", (
            f"sum(namespace_{resource}:kube_pod_container_resource_requests:sum)"
            f" - (sum({total}) - max({total})) > 0 and (sum({total}) - max({total})) > 0"
        ), "10m"  # fmt: skip
        yield "record", f"node:{resource}_requested:ratio", (
            f'sum by (node) (kube_pod_container_resource_requests{{resource="{resource}"}})'
            f" / on (node) {total}"
        ), ""  # fmt: skip
    for low, high in ((0.9, 1.0), (0.99, 1.0), (1.0, 10.0)):
        used = 'kube_resourcequota{type="used"}'
        hard = '(kube_resourcequota{type="hard"} > 0)'
        share = f"{used} / ignoring (instance, job, type) {hard}"
        yield "alert", f"KubeQuota_{int(low * 100)}", f"{share} > {low} < {high}", "15m"
    for job in JOBS[:4]:
        yield "record", f"job:up_{job}:avg".replace("-", "_"), f'avg by (job) (up{{job="{job}"}})', ""


def _presence() -> Iterator[Rule]:
    for job in JOBS:
        name = job.replace("-", "_")
        yield "alert", f"Absent_{name}", f'absent(up{{job="{job}"}} == 1)', "15m"
        if job in JOBS[:2]:
            yield "alert", f"Flaps_{name}", f'changes(up{{job="{job}"}}[15m]) > 4', "15m"
    yield "alert", "TargetDown", "100 * (count by (job) (up == 0) / count by (job) (up)) > 10", "10m"
    yield "alert", "Watchdog", "vector(1)", "0s"
    yield "alert", "InstancesMissing", "count(up) < 0.8 * count(up offset 10m)", "10m"


def _latency() -> Iterator[Rule]:
    for quantile in ("0.99", "0.9", "0.5"):
        name = quantile.replace("0.", "")
        for metric, by in (
            ("apiserver_request_duration_seconds", "le, verb, scope"),
            ("kubelet_pleg_relist_duration_seconds", "le, instance"),
            ("kubelet_pod_worker_duration_seconds", "le, instance"),
            ("etcd_disk_wal_fsync_duration_seconds", "le, instance"),
            ("etcd_disk_backend_commit_duration_seconds", "le, instance"),
            ("scheduler_scheduling_algorithm_duration_seconds", "le, instance"),
            ("scheduler_e2e_scheduling_duration_seconds", "le, instance"),
            ("scheduler_binding_duration_seconds", "le, instance"),
            ("coredns_dns_request_duration_seconds", "le, zone"),
        ):
            expr = f"histogram_quantile({quantile}, sum by ({by}) (rate({metric}_bucket[5m])))"
            yield "record", f"cluster_quantile:{metric}:p{name}", expr, ""
