"""What moto's CloudWatch Logs does otherwise: a metric filter that is put again replaces the one of its name. And what
it lacks: giving a log group a key, or none, later; that its tags go with it.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html, API_AssociateKmsKey.html
"""

from __future__ import annotations

from typing import Any

import moto.logs.urls as urls
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogGroup
from moto.logs.responses import LogsResponse


class LogsOperations(LogsResponse):
    """moto's operations, with these."""

    def associate_kms_key(self) -> str:
        self._group().kms_key_id = self._get_param("kmsKeyId")
        return ""

    def disassociate_kms_key(self) -> str:
        self._group().kms_key_id = None
        return ""

    def delete_log_group(self) -> Any:
        """moto keeps the tags, and gives them to the next group of the name."""
        group = self._group()
        answer = super().delete_log_group()
        self.logs_backend.tagger.delete_all_tags_for_resource(group.arn)
        return answer

    def _group(self) -> LogGroup:
        group: LogGroup | None = self.logs_backend.groups.get(self._get_param("logGroupName"))
        if group is None:
            raise ResourceNotFoundException
        return group

    def put_metric_filter(self) -> str:
        name, group = self._get_param("filterName"), self._get_param("logGroupName")
        kept = [
            one
            for one in self.logs_backend.filters.metric_filters
            if (one["filterName"], one["logGroupName"]) != (name, group)
        ]
        answer = super().put_metric_filter()  # it checks what is asked for
        self.logs_backend.filters.metric_filters = [*kept, self.logs_backend.filters.metric_filters[-1]]
        return answer


def install() -> None:
    """Before the service's first request: moto reads its routes then."""
    urls.url_paths["{0}/$"] = LogsOperations.dispatch
