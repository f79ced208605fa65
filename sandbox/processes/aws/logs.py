"""What moto's CloudWatch Logs does otherwise: a metric filter that is put again replaces the one of its name.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutMetricFilter.html
"""

from __future__ import annotations

import moto.logs.urls as urls
from moto.logs.responses import LogsResponse


class LogsOperations(LogsResponse):
    """moto's operations, with this one corrected."""

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
