"""The keys that Compose knows, by place: what is not here is a mistake, with the key that was probably meant.

A place is a pattern: `*` stands for a name that the file chooses, `[]` for an item of a list. Places that are not listed hold names of
the file's own (labels, variables). Source: the Compose specification, and what Compose 2.40 reads.
"""

from __future__ import annotations

from collections.abc import Mapping

_KEYS: Mapping[str, str] = {
    "": "version name include services networks volumes configs secrets models",
    "services.*": """
        annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count
        cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy
        develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends
        external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging
        mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable
        oom_score_adj pid pids_limit platform ports post_start pre_start pre_stop privileged profiles provider pull_policy
        pull_refresh_after read_only
        restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period stop_signal storage_opt sysctls tmpfs
        tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir
    """,
    "services.*.build": """
        additional_contexts args cache_from cache_to context dockerfile dockerfile_inline entitlements extra_hosts isolation
        labels network no_cache platforms privileged provenance pull sbom secrets shm_size ssh tags target ulimits
    """,
    "services.*.blkio_config": """
        device_read_bps device_read_iops device_write_bps device_write_iops weight weight_device
    """,
    "services.*.depends_on.*": "condition required restart",
    "services.*.deploy": """
        endpoint_mode labels mode placement replicas resources restart_policy rollback_config update_config
    """,
    "services.*.deploy.resources": "limits reservations",
    "services.*.deploy.resources.limits": "cpus memory pids",
    "services.*.deploy.resources.reservations": "cpus memory devices generic_resources",
    "services.*.deploy.restart_policy": "condition delay max_attempts window",
    "services.*.env_file[]": "path required format",
    "services.*.extends": "service file",
    "services.*.healthcheck": "disable interval retries start_interval start_period test timeout",
    "services.*.logging": "driver options",
    "services.*.networks.*": """
        aliases driver_opts gw_priority interface_name ipv4_address ipv6_address link_local_ips mac_address priority
    """,
    "services.*.ports[]": "app_protocol host_ip mode name protocol published target",
    "services.*.configs[]": "source target uid gid mode",
    "services.*.secrets[]": "source target uid gid mode",
    "services.*.post_start[]": "command environment privileged user working_dir",
    "services.*.pre_stop[]": "command environment privileged user working_dir",
    "services.*.ulimits.*": "soft hard",
    "services.*.volumes[]": "type source target read_only consistency bind volume tmpfs image",
    "services.*.volumes[].bind": "create_host_path propagation recursive selinux",
    "services.*.volumes[].volume": "labels nocopy subpath",
    "services.*.volumes[].tmpfs": "mode size",
    "services.*.volumes[].image": "subpath",
    "networks.*": "attachable driver driver_opts enable_ipv4 enable_ipv6 external internal ipam labels name",
    "networks.*.ipam": "driver config options",
    "networks.*.ipam.config[]": "aux_addresses gateway ip_range subnet",
    "volumes.*": "driver driver_opts external labels name",
    "configs.*": "content environment external file labels name template_driver",
    "secrets.*": "driver driver_opts environment external file labels name template_driver",
    "include[]": "path project_directory env_file",
}

_SHAPES: Mapping[str, str] = {
    "mapping": """
        services.*.deploy.placement services.*.deploy.resources.limits services.*.deploy.resources.reservations
        services.*.deploy.restart_policy services.*.deploy.rollback_config services.*.deploy.update_config
        services.*.develop services.*.logging services.*.logging.options services.*.networks.*
        services.*.volumes[].bind services.*.volumes[].tmpfs services.*.volumes[].volume
        networks.*.ipam networks.*.ipam.config[] networks.*.ipam.config[].aux_addresses networks.*.ipam.options
    """,
    "labels": """
        services.*.deploy.labels services.*.volumes[].volume.labels networks.*.labels configs.*.labels secrets.*.labels
        volumes.*.labels
    """,
    "list": """
        services.*.build.cache_from services.*.build.cache_to services.*.build.tags networks.*.ipam.config
    """,
    "text": """
        name version services.*.build.cache_from[] services.*.build.tags[] services.*.deploy.endpoint_mode services.*.deploy.mode
        services.*.deploy.restart_policy.condition services.*.container_name services.*.logging.driver
        services.*.ports[].app_protocol services.*.ports[].host_ip services.*.ports[].mode services.*.pull_refresh_after
        services.*.volumes[].consistency networks.*.driver networks.*.ipam.config[].gateway networks.*.ipam.config[].ip_range
        networks.*.ipam.config[].subnet networks.*.ipam.driver networks.*.name volumes.*.driver volumes.*.name configs.*.name
        secrets.*.name configs.*.content
    """,
    "a duration": "services.*.deploy.restart_policy.delay services.*.deploy.restart_policy.window",
    "true or false": "services.*.attach networks.*.attachable",
    "a number": "services.*.networks.*.priority",
}
"""What values of keys have to be that no reader looks at, since they change nothing here."""

SHAPES: Mapping[str, str] = {place: shape for shape, places in _SHAPES.items() for place in places.split()}
KEYS: Mapping[str, frozenset[str]] = {place: frozenset(keys.split()) for place, keys in _KEYS.items()}


def place_of(parent: str, key: str) -> str:
    """Return the pattern of what stands under a key.

    >>> place_of("services.*", "ports"), place_of("services", "web"), place_of("", "services")
    ('services.*.ports', 'services.*', 'services')
    """
    return f"{parent}.{key if parent in KEYS else '*'}".removeprefix(".")


def is_extension(key: str) -> bool:
    """Tell whether a key is the file's own business: Compose ignores it."""
    return key.startswith("x-")
