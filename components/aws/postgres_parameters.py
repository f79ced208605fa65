"""How RDS is told of a Postgres parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pulumi_aws import rds

STATIC = frozenset(
    {
        "autovacuum_freeze_max_age", "autovacuum_multixact_freeze_max_age", "autovacuum_worker_slots",
        "commit_timestamp_buffers", "cron.database_name", "huge_pages", "io_max_combine_limit", "io_max_concurrency",
        "io_method", "max_active_replication_origins", "max_connections", "max_files_per_process",
        "max_locks_per_transaction", "max_logical_replication_workers", "max_notify_queue_pages",
        "max_pred_locks_per_transaction", "max_prepared_transactions", "max_replication_slots", "max_wal_senders",
        "max_worker_processes", "multixact_member_buffers", "multixact_offset_buffers", "notify_buffers",
        "old_snapshot_threshold", "pg_stat_statements.max", "rds.custom_dns_resolution", "rds.logical_replication",
        "reserved_connections", "serializable_buffers", "shared_buffers", "shared_preload_libraries",
        "subtransaction_buffers", "superuser_reserved_connections", "track_activity_query_size",
        "track_commit_timestamp", "transaction_buffers", "wal_buffers", "wal_level",
    }
)  # fmt: skip
"""Parameters that Postgres reads at its start only (`context` is `postmaster` in pg_settings), which RDS calls static:
https://www.postgresql.org/docs/current/view-pg-settings.html and
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html"""

STATIC_BEFORE_18 = frozenset({"autovacuum_max_workers"})
"""https://www.postgresql.org/docs/18/release-18.html: since then within `autovacuum_worker_slots`"""

_MOST_KILOBYTES: Final = 2**31 - 1
"""https://www.postgresql.org/docs/current/runtime-config-resource.html#GUC-TEMP-FILE-LIMIT"""


def ceilings(storage_gib: int) -> dict[str, str]:
    """What one session may take of a server that many share, and who is no superuser cannot change:

    - a twentieth of the storage for temporary files (in kB): a sort that spills does not fill the volume
      (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.ManagingTempFiles.html)
    - ten seconds to log in, of Postgres' sixty: connections that never do hold no slots
      (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Appendix.PostgreSQL.CommonDBATasks.Parameters.html)
    """
    return {
        "temp_file_limit": str(min(storage_gib * 1024 * 1024 // 20, _MOST_KILOBYTES)),
        "authentication_timeout": "10",
    }


def parameters(version: str, wanted: Mapping[str, str]) -> list[rds.ParameterGroupParameterArgsDict]:
    """`wanted` of a server of that major version, each with the method that RDS takes: it refuses to apply a static
    parameter at once, and the provider asks for that where nothing is said. A static one waits for the next restart of
    the instance.

    https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_Parameter.html
    """
    static = STATIC if int(version) >= 18 else STATIC | STATIC_BEFORE_18
    return [
        {"name": name, "value": value, "apply_method": "pending-reboot" if name in static else "immediate"}
        for name, value in sorted(wanted.items())
    ]
